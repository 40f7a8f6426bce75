"""Minutes of a stock in New York from 04:00 to 20:00, and sessions that trade them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from live.build import runs_of
from mela.candles import Candles
from mela.interval import DAY_MS, Interval
from mela.market_hours import opens_in
from mela.session import Session
from tests.live.random_sessions import PRICES, WITH_OWN, Drawn, Key, market

STOCKS = ("alpaca:AAPL", "alpaca:MSFT", "alpaca:SPY")
STOCK = STOCKS[0]


def ms(text: str) -> int:
    """Return an instant that is written with its zone, or as UTC."""
    at = datetime.fromisoformat(text if "+" in text or "-0" in text[10:] else f"{text}+00:00")
    return int(at.timestamp() * 1000)


def with_hours(rng: np.random.Generator, session: Session, bars: int) -> Drawn:
    """Return a session with candles of all hours around a half day, some of them missing."""
    opens = opens_in("XNYS", session.interval, ms("2024-11-20"), ms("2024-12-20"), "extended")
    half_day = int(np.searchsorted(opens, ms("2024-11-29T17:00")))
    at = half_day - int(rng.integers(bars))
    series: dict[Key, Candles] = {}
    for run in runs_of(session, int(opens[at]), WITH_OWN):
        for name in run.instruments:
            since = at - min(run.warmup, at)
            made = market(rng, 0, session.interval, at + bars - since, 0.15)
            kept = (made.opened_ms // (session.interval.fixed_ms or DAY_MS)).astype(np.int64)
            columns = {one: getattr(made, one) for one in PRICES}
            series[name, session.interval] = replace(
                made, opened_ms=opens[since + kept], calendar="XNYS", tick=0.01, lot=1.0, **columns
            )
    step = session.interval.fixed_ms or DAY_MS
    return Drawn(session, series, int(opens[at]), int(opens[at + bars - 1]) + step)


def write_minutes(folder: Path, days: list[str], price: Any, symbol: str = "AAPL") -> None:
    """Write minutes of all hours that `mela replay` serves. price: of a minute's opening in ms."""
    opened = np.concatenate(
        [opens_in("XNYS", Interval.M1, ms(day), ms(day) + DAY_MS + 6 * 3_600_000, "extended")
         for day in days]
    )  # fmt: skip
    opened = np.unique(opened)
    prices = np.array([float(price(int(at))) for at in opened])
    table = pd.DataFrame({"open_time": pd.to_datetime(opened, unit="ms", utc=True)})
    for name in ("open", "high", "low", "close"):
        table[name] = prices
    table = table.assign(volume=1_000.0, source="lean-equity", symbol=symbol, interval="1m")
    table.to_parquet(folder / f"lean-equity_{symbol}_1m.parquet")

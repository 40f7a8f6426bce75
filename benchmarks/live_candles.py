"""Sessions and minutes of a made-up market for the benchmarks of live trading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd

from live.events import CandleClosed, Facts, History, Started
from mela.interval import MINUTE_MS, Interval
from mela.session import Session

BEGINS_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
WARM = 200  # candles before the first one
PARTS = ("open", "high", "low", "close", "volume")
SLOW, FAST = 100, 20


def names(count: int) -> list[str]:
    """Return so many instruments of the made-up market."""
    return [f"binance:B{number:03d}USDT" for number in range(count)]


def session_document(instruments: list[str], **more: Any) -> dict[str, Any]:
    """Return a session on paper that trades each of some instruments by itself."""
    return {
        "name": f"bench {uuid4().hex[:8]}",
        "instruments": instruments,
        "interval": "1m",
        "strategy": {"name": "sma_cross", "params": {"fast": FAST, "slow": SLOW}},
        "cash": 1e6,
        **more,
    }


def walk(seed: int, count: int) -> dict[str, np.ndarray]:
    """Return open, high, low, close and volume of a seeded random walk of minutes."""
    random = np.random.default_rng(seed)
    close = np.round(1_000.0 * np.exp(np.cumsum(random.normal(0.0, 1e-3, count))), 2)
    open_ = np.concatenate([[1_000.0], close[:-1]])
    return {
        "open": open_,
        "high": np.maximum(open_, close) + 0.5,
        "low": np.minimum(open_, close) - 0.5,
        "close": close,
        "volume": np.round(random.uniform(1.0, 9.0, count), 3),
    }


def started(document: dict[str, Any], walks: dict[str, dict[str, np.ndarray]]) -> Started:
    """Return the event that begins a session after the first WARM candles of its walks."""
    session = Session.model_validate(document)
    opened = tuple(BEGINS_MS + n * MINUTE_MS for n in range(WARM))
    history = tuple(
        History(
            name,
            Interval.M1,
            opened,
            *(tuple(columns[part][:WARM].tolist()) for part in columns),
        )
        for name, columns in walks.items()
    )
    facts = tuple(Facts(name, "crypto", "USDT", "24/7", 0.01, 0.001, None) for name in walks)
    first = BEGINS_MS + WARM * MINUTE_MS
    return Started(str(uuid4()), session.content(), first, facts, history, first)


def closed(name: str, columns: dict[str, np.ndarray]) -> Iterator[CandleClosed]:
    """Yield the candles of a walk that follow the first WARM ones."""
    for number in range(WARM, len(columns["close"])):
        opened_ms = BEGINS_MS + number * MINUTE_MS
        open_, high, low, close, volume = (float(columns[part][number]) for part in PARTS)
        yield CandleClosed(
            *(name, Interval.M1, opened_ms),
            *(open_, high, low, close, volume),
            received_ms=opened_ms + MINUTE_MS,
        )


def write_market(folder: Path, count: int, minutes: int) -> None:
    """Write candles that `mela replay --data` serves: so many instruments and minutes."""
    opened = pd.to_datetime(BEGINS_MS + np.arange(minutes) * MINUTE_MS, unit="ms", utc=True)
    for number, name in enumerate(names(count)):
        symbol = name.partition(":")[2]
        table = pd.DataFrame({"open_time": opened, **walk(number, minutes)})
        table = table.assign(source="binance", symbol=symbol, interval="1m")
        table.to_parquet(folder / f"binance_{symbol}_1m.parquet")

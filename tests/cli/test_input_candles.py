"""Where `mela backtest` takes the candles of a strategy's inputs from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cli.candles.candle_file import reader_of_files
from mela.errors import CandlesMissing
from mela.instants import from_ms
from mela.interval import DAY_MS, Interval
from services.strategies.lookahead import random_walk
from sources.longer_intervals import longer_candles

BTC, ETH = "binance:BTCUSDT", "binance:ETHUSDT"
HOURS = random_walk(Interval.H1, 24 * 5 + 7)


def written(path: Path, closes: np.ndarray, first_ms: int, step_ms: int) -> str:
    lines = ["opened_at,open,high,low,close,volume"]
    for bar, close in enumerate(closes.tolist()):
        at = from_ms(first_ms + bar * step_ms).isoformat()
        lines.append(f"{at},{close},{close},{close},{close},1")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_a_longer_interval_is_made_of_the_hours_of_each_closed_day() -> None:
    days = longer_candles(HOURS, Interval.D1)

    assert len(days) == 5  # the sixth has not closed
    assert days.close.tolist() == HOURS.close[23:120:24].tolist()
    assert days.open.tolist() == HOURS.open[0:120:24].tolist()
    assert days.high[0] == HOURS.high[:24].max()


def test_a_file_of_an_interval_goes_before_what_could_be_made(tmp_path: Path) -> None:
    first_ms = int(HOURS.opened_ms[0])
    hours = written(tmp_path / "hours.csv", HOURS.close, first_ms, DAY_MS // 24)
    days = written(tmp_path / "days.csv", np.array([7.0, 8.0, 9.0]), first_ms, DAY_MS)

    made = reader_of_files([f"{BTC}={hours}"], [BTC])
    made(BTC, Interval.H1)
    told = reader_of_files([f"{BTC}={hours}", f"{BTC}@1d={days}"], [BTC])
    told(BTC, Interval.H1)

    assert made(BTC, Interval.D1).close.tolist() == HOURS.close[23:120:24].tolist()
    assert told(BTC, Interval.D1).close.tolist() == [7.0, 8.0, 9.0]


def test_another_instrument_needs_a_file_of_its_own(tmp_path: Path) -> None:
    hours = written(tmp_path / "hours.csv", HOURS.close, int(HOURS.opened_ms[0]), DAY_MS // 24)

    with pytest.raises(CandlesMissing, match=f"Add --candles {ETH}=FILE"):
        reader_of_files([f"{BTC}={hours}"], [BTC])(ETH, Interval.H1)

"""The candles of the engine's benchmarks: a seeded random walk of minutes, priced in cents."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mela.candles import Candles
from mela.interval import DAY_MS, MINUTE_MS, Interval

COLUMNS = ("opened_ms", "open", "high", "low", "close", "volume")
FIRST_MS = 18_993 * DAY_MS  # 2022-01-01
FIRST_PRICE, TICK = 20_000.0, 0.01
STEP, WICK, GAP = 7e-4, 3e-4, 5e-5  # of a minute, as fractions of the price


def minute_candles(rows: int, seed: int = 4) -> Candles:
    """Return a random walk of one-minute candles without an edge and without gaps.

    The price is high relative to its tick, so that two of its means are hardly ever exactly equal:
    peers sum in another order, and a tie that rounds differently would be a different trade.

    >>> candles = minute_candles(1_000)
    >>> candles.check()
    >>> float(candles.close[0]) == round(float(candles.close[0]), 2)
    True
    """
    random = np.random.default_rng(seed)
    close = FIRST_PRICE * np.exp(np.cumsum(STEP * random.standard_normal(rows)))
    open_ = np.concatenate([[FIRST_PRICE], close[:-1]]) * (1 + GAP * random.standard_normal(rows))
    high = np.maximum(open_, close) * (1 + WICK * random.exponential(size=rows))
    low = np.minimum(open_, close) / (1 + WICK * random.exponential(size=rows))
    opened_ms = FIRST_MS + MINUTE_MS * np.arange(rows, dtype=np.int64)
    priced = (np.round(np.round(column / TICK) * TICK, 2) for column in (open_, high, low, close))
    return Candles(Interval.M1, opened_ms, *priced, volume=random.exponential(10.0, rows))


def first(candles: Candles, rows: int) -> Candles:
    """Return a copy of the first candles of a series."""
    columns = (getattr(candles, name)[:rows].copy() for name in COLUMNS)
    return Candles(candles.interval, *columns)


def write(candles: Candles, folder: Path) -> None:
    """Write each column as an .npy file that every peer can read."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COLUMNS:
        np.save(folder / f"{name}.npy", getattr(candles, name))


def read(folder: Path) -> Candles:
    """Return the candles of a folder that `write` filled."""
    return Candles(Interval.M1, *(np.load(folder / f"{name}.npy") for name in COLUMNS))

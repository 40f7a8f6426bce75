"""Sixty days of hourly candles that swing and wander, and a scene over the last of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mela.candles import Candles
from mela.interval import HOUR_MS, Interval

START_MS = 1_672_531_200_000  # 2023-01-01T00:00:00Z
BARS = 60 * 24
SCENE: dict[str, Any] = {
    "instruments": ["a:X"],
    "interval": "1h",
    "start": "2023-01-11T00:00:00Z",
    "end": "2023-03-02T00:00:00Z",
    "strategy": {"name": "sma_cross"},
}


def candles(seed: int = 0) -> Candles:
    """Return the candles; another seed wanders elsewhere."""
    rng = np.random.default_rng(seed)
    swing = 0.1 * np.sin(np.arange(BARS) / 37)
    close = 100.0 * np.exp(swing + np.cumsum(rng.normal(0.0, 0.004, BARS)))
    before = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(before, close) * 1.002, np.minimum(before, close) * 0.998
    opened = START_MS + HOUR_MS * np.arange(BARS, dtype=np.int64)
    return Candles(Interval.H1, opened, before, high, low, close, np.full(BARS, 10.0))


def read(instrument: str, interval: Interval) -> Candles:
    """Return the candles of an instrument: of each its own."""
    assert interval is Interval.H1
    return candles(seed=sum(instrument.encode()))

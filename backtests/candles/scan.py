"""One look over a span's candles: whether they hold, where its periods end, what is missing.

Candles are checked each time they are cut, so that this pass is part of every run's time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.kernel.ledger import CLOSES_PER_BLOCK
from mela.interval import DAY_MS

Float = NDArray[np.float64]
Int = NDArray[np.int64]
CANDLES_PER_CHECK = 256


class Surveyed(NamedTuple):
    """The findings of one scan.

    holds: whether no candle breaks a law of `Candles.check`
    uneven: steps between the span's candles that are not one interval long
    days: period ends written
    volumes, silent: whether some candles have volume, and whether some have none
    """

    holds: bool
    uneven: int
    days: int
    volumes: bool
    silent: bool


@njit(cache=True, nogil=True, error_model="numpy")
def scan_candles(
    opened_ms: Int,
    open_: Float,
    high: Float,
    low: Float,
    close: Float,
    volume: Float,
    start: int,
    step_ms: int,
    ends: Int,
    lowest: Float,
    highest: Float,
) -> Surveyed:
    """Look at each candle once.

    opened_ms: (n,) int64; open_ … volume: (n,) float64; start: the span's first bar
    step_ms: how long a candle lasts; 0 where that varies, and every step counts as uneven
    ends: (≥ days,) int64, written: the last bar of each UTC day, counted from `start`
    lowest, highest: (⌈n / 32⌉,) float64, written: the least and the greatest close of each 32 bars
    """
    n = len(opened_ms)
    broken, silent, loud, uneven = 0, 0, 0, 0
    bar = 0
    while bar < n:
        until = min(bar + CANDLES_PER_CHECK, n)
        o, h, lo = open_[bar:until], high[bar:until], low[bar:until]
        c, v = close[bar:until], volume[bar:until]
        for each in range(len(o)):
            fine = (lo[each] > 0.0) & (h[each] < np.inf)
            fine &= (o[each] >= lo[each]) & (o[each] <= h[each])
            fine &= (c[each] >= lo[each]) & (c[each] <= h[each])
            fine &= (v[each] >= 0.0) & (v[each] < np.inf)
            broken += not fine
        for each in range(len(v)):
            silent += v[each] == 0.0
            loud += v[each] > 0.0
        first = max(bar, 1)
        after, before = opened_ms[first:until], opened_ms[first - 1 : until - 1]
        for each in range(len(after)):
            broken += after[each] <= before[each]
        if bar > start:
            for each in range(len(after)):
                uneven += after[each] - before[each] != step_ms
        else:
            for each in range(first, until):
                uneven += (each > start) & (opened_ms[each] - opened_ms[each - 1] != step_ms)
        bar = until
    _extremes(close, lowest, highest)

    days = 0
    midnight = -(2**62)
    for bar in range(n):
        if opened_ms[bar] >= midnight:  # the first candle of a day
            midnight = (opened_ms[bar] // DAY_MS + 1) * DAY_MS
            if bar > start:
                ends[days] = bar - 1 - start
                days += 1
    if n > start:
        ends[days] = n - 1 - start
        days += 1
    return Surveyed(broken == 0, uneven, days, loud > 0, silent > 0)


@njit(cache=True, nogil=True, error_model="numpy")
def _extremes(close: Float, lowest: Float, highest: Float) -> None:
    # halves against halves, which the processor takes in bulk; one chain would wait for itself
    half = CLOSES_PER_BLOCK // 2
    low, high = np.empty(half), np.empty(half)
    whole = len(close) // CLOSES_PER_BLOCK
    for block in range(whole):
        front = close[CLOSES_PER_BLOCK * block : CLOSES_PER_BLOCK * block + half]
        back = close[CLOSES_PER_BLOCK * block + half : CLOSES_PER_BLOCK * block + CLOSES_PER_BLOCK]
        for each in range(half):
            low[each] = back[each] if back[each] < front[each] else front[each]
            high[each] = back[each] if back[each] > front[each] else front[each]
        width = half // 2
        while width:
            for each in range(width):
                other = low[each + width]
                low[each] = other if other < low[each] else low[each]
                other = high[each + width]
                high[each] = other if other > high[each] else high[each]
            width //= 2
        lowest[block], highest[block] = low[0], high[0]
    if whole < len(lowest):
        rest = close[CLOSES_PER_BLOCK * whole :]
        lowest[whole], highest[whole] = rest.min(), rest.max()


@njit(cache=True, nogil=True, error_model="numpy")
def rises(values: Int) -> bool:
    """Tell whether each of (n,) values is above the one before it."""
    falls = 0
    for each in range(1, len(values)):
        falls += values[each] <= values[each - 1]
    return falls == 0

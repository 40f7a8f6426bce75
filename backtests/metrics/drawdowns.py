"""Drawdowns, carried from value to value: no curve needs to be kept for them.

An episode begins where equity falls below its peak and ends where it is back at it or above, or
with the curve.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mela.interval import DAY_MS

Float = NDArray[np.float64]
Int = NDArray[np.int64]


class Drawdown(NamedTuple):
    """What a walk knows of its drawdowns so far.

    peak: highest equity; peak_bar: the last bar whose equity was the peak
    trough: lowest equity since, the peak itself where equity has not fallen
    worst: deepest of the ended episodes, ≤ 0; depths: their sum; episodes: how many they are
    longest_ms: longest of them, from its peak to the candle that is back at it
    """

    peak: float
    peak_bar: int
    trough: float
    worst: float
    depths: float
    episodes: int
    longest_ms: int


@njit(cache=True, nogil=True, error_model="numpy")
def drawdown_begin(cash: float, start: int) -> Drawdown:
    """Return the state before the first candle: the opening cash is the first peak.

    start: the span's first bar, at whose opening the cash is counted
    """
    return Drawdown(cash, start, cash, 0.0, 0.0, 0, 0)


@njit(cache=True, nogil=True, error_model="numpy")
def _closed(now: Drawdown, bar: int, opened_ms: Int) -> tuple[float, float, int, int]:
    # worst, depths, episodes, longest_ms: the running episode counted too, if there is one
    if not now.trough < now.peak:
        return now.worst, now.depths, now.episodes, now.longest_ms
    depth = now.trough / now.peak - 1.0
    lasted_ms = opened_ms[bar] - opened_ms[now.peak_bar]
    return (
        min(now.worst, depth),
        now.depths + depth,
        now.episodes + 1,
        max(now.longest_ms, lasted_ms),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def drawdown_step(now: Drawdown, value: float, bar: int, opened_ms: Int) -> Drawdown:
    """Return the state after the equity of one more candle.

    value: equity on the close of `bar`, no NaN; opened_ms: (n,) int64, of all bars

    A stretch of equal values needs two steps, for its first bar and for its last.
    """
    if value >= now.peak:
        worst, depths, episodes, longest_ms = _closed(now, bar, opened_ms)
        return Drawdown(value, bar, value, worst, depths, episodes, longest_ms)
    if value < now.trough:
        return drawdown_within(now, value)
    return now


@njit(cache=True, nogil=True, error_model="numpy")
def drawdown_within(now: Drawdown, lowest: float) -> Drawdown:
    """Return the state after candles that all stay below the peak, by their lowest equity."""
    trough = min(now.trough, lowest)
    return Drawdown(
        now.peak, now.peak_bar, trough, now.worst, now.depths, now.episodes, now.longest_ms
    )


@njit(cache=True, nogil=True, error_model="numpy")
def drawdown_end(now: Drawdown, last: int, opened_ms: Int) -> tuple[float, float, float]:
    """Return max_drawdown, avg_drawdown and max_drawdown_days of a curve that ended.

    last: its last bar; an episode that still runs counts up to there
    returns: fractions ≤ 0 and days ≥ 0; 0.0, NaN and 0.0 for a curve that never fell
    """
    worst, depths, episodes, longest_ms = _closed(now, last, opened_ms)
    average = depths / episodes if episodes else np.nan
    return worst, average, longest_ms / DAY_MS


@njit(cache=True, nogil=True, error_model="numpy")
def drawdowns(equity: Float, opened_ms: Int, cash: float) -> tuple[float, float, float]:
    """Return max_drawdown, avg_drawdown and max_drawdown_days of a whole curve.

    equity: (bars,) float64, one value per candle, oldest first, no NaN; at least one
    opened_ms: (≥ bars,) int64, of the same candles
    cash: opening cash, the first peak
    """
    now = drawdown_begin(cash, 0)
    for bar in range(len(equity)):
        now = drawdown_step(now, equity[bar], bar, opened_ms)
    return drawdown_end(now, len(equity) - 1, opened_ms)


@njit(cache=True, nogil=True, error_model="numpy")
def max_drawdown(equity: Float, cash: float) -> float:
    """Return the deepest fall below the running peak, as a fraction ≤ 0.

    equity: (bars,) float64, one value per candle, oldest first, no NaN
    cash: opening cash, the first peak
    returns: 0.0 for a curve that never falls

    Source: Magdon-Ismail & Atiya, "Maximum Drawdown", Risk 17 (2004).
    """
    worst, peak, trough = 0.0, cash, cash
    for value in equity:
        if value > peak:
            worst = min(worst, trough / peak - 1.0)
            peak = trough = value
        elif value < trough:
            trough = value
    return min(worst, trough / peak - 1.0)

"""Drawdowns of a whole curve, by the steps that a walk takes while it goes.

An episode begins where equity falls below its peak and ends where it is back at it or above, or
with the curve.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.kernel.ledger import (
    DEPTHS,
    EPISODES,
    FALL_SIZE,
    LONGEST_MS,
    WORST,
    begin_fall,
    end_fall,
    fall_step,
)
from mela.interval import DAY_MS

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def drawdowns(equity: Float, opened_ms: Int, cash: float) -> tuple[float, float, float]:
    """Return max_drawdown, avg_drawdown and max_drawdown_days of a whole curve.

    equity: (bars,) float64, one value per candle, oldest first, no NaN; at least one
    opened_ms: (≥ bars,) int64, of the same candles
    cash: opening cash, the first peak
    """
    fall = np.empty(FALL_SIZE)
    begin_fall(fall, cash, float(opened_ms[0]))
    for bar in range(len(equity)):
        fall_step(fall, equity[bar], float(opened_ms[bar]))
    end_fall(fall, float(opened_ms[len(equity) - 1]))
    average = fall[DEPTHS] / fall[EPISODES] if fall[EPISODES] > 0.0 else np.nan
    return fall[WORST], average, fall[LONGEST_MS] / DAY_MS


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

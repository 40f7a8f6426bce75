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
    DRAWDOWN_SIZE,
    EPISODES,
    LONGEST_MS,
    WORST,
    begin_drawdown,
    end_drawdown,
    step_drawdown,
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
    drawdown = np.empty(DRAWDOWN_SIZE)
    begin_drawdown(drawdown, cash, float(opened_ms[0]))
    for bar in range(len(equity)):
        step_drawdown(drawdown, equity[bar], float(opened_ms[bar]))
    end_drawdown(drawdown, float(opened_ms[len(equity) - 1]))
    average = drawdown[DEPTHS] / drawdown[EPISODES] if drawdown[EPISODES] > 0.0 else np.nan
    return drawdown[WORST], average, drawdown[LONGEST_MS] / DAY_MS


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

"""Sums of returns over common blocks of the span, so that a search need keep no curve.

Source: Bailey, Borwein, López de Prado & Zhu, "The Probability of Backtest Overfitting", Journal of
Computational Finance 20 (2017), section 3: CSCV needs of each trial only its moments by block.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]
BLOCKS = 16


def block_bounds(times_ms: Int, start_ms: int, end_ms: int) -> Int:
    """Return where in the periods each of 16 equal blocks of [start, end) begins.

    times_ms: (m,) int64, rising: when the last candle of each period opened
    returns: (17,) int64; block i has the periods bounds[i] to bounds[i + 1] − 1

    >>> block_bounds(np.array([0, 5, 99, 159]), 0, 160).tolist()
    [0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4]
    """
    edges = [start_ms + -(-(end_ms - start_ms) * i // BLOCKS) for i in range(BLOCKS + 1)]
    return np.searchsorted(times_ms, np.array(edges), side="left").astype(np.int64)


@njit(cache=True, nogil=True, error_model="numpy")
def block_sums(returns: Float, risk_free: float, bounds: Int, rows: Float) -> None:
    """Write of each block how many returns it has, their sum, and the sum of their squares.

    Summed is what they exceed the risk-free rate by, since Sharpe ratios are made of the sums.

    returns: (m,) float64; fewer than the bounds tell where a run was ruined
    risk_free: the rate per period
    bounds: (17,) int64, of `block_bounds`
    rows: (3, 16) float64, written: sums, sums of squares, numbers
    """
    for block in range(len(bounds) - 1):
        first = min(bounds[block], len(returns))
        end = min(bounds[block + 1], len(returns))
        total = square = 0.0
        for i in range(first, end):
            value = returns[i] - risk_free
            total += value
            square += value * value
        rows[0, block] = total
        rows[1, block] = square
        rows[2, block] = end - first

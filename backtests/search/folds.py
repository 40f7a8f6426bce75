"""Walk-forward in numbers: how folds become one.

`mela.windows` defines the candles of each fold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mela.windows import MAX_FOLDS, Fold, folds

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]

__all__ = ["MAX_FOLDS", "Fold", "chain", "chained_returns", "folds", "within"]


def chain(parts: Sequence[Float], cash: float) -> Float:
    """Return the equity of folds chained by return: each begins with what the one before left.

    parts: the equity of each fold, every one from the same opening cash on; each not empty
    cash: that opening cash
    returns: (Σ candles,) float64

    >>> chain([np.array([100.0, 150.0]), np.array([50.0])], cash=100.0).tolist()
    [100.0, 150.0, 75.0]
    """
    chained: list[Float] = []
    factor = 1.0
    for part in parts:
        chained.append(part * factor)
        factor *= float(part[-1]) / cash
    return np.concatenate(chained) if chained else np.empty(0)


def chained_returns(parts: Sequence[Float]) -> Float:
    """Return the period returns of all folds, one after the other.

    Each fold's first return starts from its own opening cash, so that no return spans a border.
    """
    return np.concatenate(parts) if parts else np.empty(0)


def within(entry_ms: Int, exit_ms: Int, start_ms: int, end_ms: int) -> Bool:
    """Tell which trades lie wholly in [start, end); the others cross a border and are purged.

    entry_ms, exit_ms: (n,) int64, the openings of the candles of both fills; a trade that is still
        open has no exit, and is not among them
    returns: (n,) bool. The profit of a purged trade is known only beyond the border, or was decided
        before it, so it must not count for choosing.

    >>> within(np.array([1, 5]), np.array([4, 12]), 0, 10).tolist()
    [True, False]

    Source: López de Prado, "Advances in Financial Machine Learning" (2018), section 7.4.1.
    """
    return (entry_ms >= start_ms) & (exit_ms < end_ms)

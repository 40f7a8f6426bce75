"""Labels: what a decision would have earned, and the span in which that is decided.

A decision on the close of candle i fills at the open of i + 1, as in a scene. Its label is known
at the last price that it needs, and its span is [close of i, that instant], both ends included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mela.candles import Candles
from mela.execution_terms import Costs
from mela.training import Label

Float = NDArray[np.float64]
Int = NDArray[np.int64]
UNKNOWN = np.iinfo(np.int64).max  # when a label is known that never is


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of n candles.

    y: (n,) float64, NaN where the candles that follow are too few
    returns: (n,) float64, what a long position earns from the next open until the label's end, net
        of costs; NaN where y is
    until_ms: (n,) int64, when the label is known; UNKNOWN where it is NaN
    """

    y: Float
    returns: Float
    until_ms: Int


def label(candles: Candles, kind: Label, costs: Costs) -> Labels:
    """Return the labels of all candles."""
    raise NotImplementedError


def is_class(kind: Label) -> bool:
    """Tell whether a label is a class, which a classifier learns, or a number."""
    return kind.kind in ("forward_sign", "triple_barrier")

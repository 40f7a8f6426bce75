"""From a line of forecasts to signals: the one rule, for the judge, scenes and live trading."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtests.signals import Signals

Float = NDArray[np.float64]


def signals_of(line: Float, enter: float, leave: float) -> Signals:
    """Enter on a close with a forecast above `enter`, exit on one with a forecast below `leave`.

    line: (n,) float64; a NaN is no forecast, on which nothing is done
    Short positions mirror them: what ends a long one opens a short one, where a run trades both.

    >>> signals_of(np.array([0.1, np.nan, -0.1]), 0.0, 0.0).enter.tolist()
    [True, False, False]
    """
    return Signals(enter=line > enter, exit=line < leave)

"""The inputs of position sizing on each close: how far prices move."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.indicators.talib_functions import talib
from backtests.metrics import periods_per_year
from mela.calendars import has_sessions, sessions, usual_lengths_ms
from mela.candles import Candles
from mela.interval import DAY_MS
from mela.run import AtrSizing, Sizing, VolatilitySizing

Float = NDArray[np.float64]
UNKNOWN_MS = 6.5 * 3_600_000  # a day of a market whose hours nobody knows: that of New York
_NOTHING = np.empty(0)
_NOTHING.flags.writeable = False


def sizing_measure(sizing: Sizing, candles: Candles) -> Float:
    """Return what a sizing needs on each close, (n,) float64, NaN where too little is known.

    atr_risk: Wilder's average true range, in the quote currency; volatility_target: the yearly
    volatility as a fraction; of length 0 for sizings that measure nothing
    """
    if isinstance(sizing, AtrSizing):
        if len(candles) <= sizing.period:
            measured = np.full(len(candles), np.nan)
        else:
            measured = talib.ATR(candles.high, candles.low, candles.close, sizing.period)
    elif isinstance(sizing, VolatilitySizing):
        measured = volatility(candles.close, sizing.period) * np.sqrt(candles_per_year(candles))
    else:
        return _NOTHING
    measured.flags.writeable = False
    return measured


@njit(cache=True, nogil=True, error_model="numpy")
def volatility(close: Float, period: int) -> Float:
    """Return the sample deviation (ddof 1) of the last `period` simple returns of each candle.

    close: (n,) float64, all above 0; returns: (n,) float64, NaN before `period` returns are there
    """
    found = np.full(len(close), np.nan)
    for bar in range(period, len(close)):
        total = 0.0
        for each in range(bar - period + 1, bar + 1):
            total += close[each] / close[each - 1] - 1.0
        mean = total / period
        squares = 0.0
        for each in range(bar - period + 1, bar + 1):
            away = close[each] / close[each - 1] - 1.0 - mean
            squares += away * away
        found[bar] = math.sqrt(squares / (period - 1))
    return found


def candles_per_year(candles: Candles) -> Float:
    """Return how many candles a year has as each of them opens: (n,) float64.

    A market with sessions trades as long as is usual there at that time, others all day.
    """
    length = candles.interval.fixed_ms
    days = periods_per_year(candles)
    if length is None or not candles.interval.is_intraday:
        return np.full(len(candles), days)
    if not has_sessions(candles.calendar):
        return np.full(len(candles), days * DAY_MS / length)
    try:
        held_in = sessions(candles.calendar).holding(candles.opened_ms)
    except ValueError:
        return np.full(len(candles), days * UNKNOWN_MS / length)
    return days * usual_lengths_ms(candles.calendar)[held_in] / length

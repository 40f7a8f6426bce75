"""Turns of the price, told when they are confirmed, and the cycle that Schaff found in trends."""

from __future__ import annotations

import numpy as np
from numba import njit

from backtests.indicators.definition import Float
from backtests.indicators.talib_functions import talib
from mela.candles import Candles


def zigzag(candles: Candles, deviation: float) -> tuple[Float, Float, Float, Float]:
    """Return the last confirmed high and low, the side of the later one, and its age.

    A high is confirmed by a later candle whose low is `deviation` percent below it; until then
    each higher high takes its place. Lows mirror highs. A candle with a new extreme cannot
    confirm it too, because a candle does not tell which of its prices came first. A chart moves
    its last leg until the turn is certain; these lines never change.

    returns: (n,) float64 each: prices; 1 after a low and -1 after a high; candles since that
        turn. NaN until the first turn of the kind is confirmed.
    """
    return confirmed_turns(candles.high, candles.low, deviation)


@njit(cache=True, nogil=True, error_model="numpy")
def confirmed_turns(high: Float, low: Float, percent: float) -> tuple[Float, Float, Float, Float]:
    """Return `zigzag` of the columns; percent: the least turn."""
    count = len(high)
    highs, lows = np.full(count, np.nan), np.full(count, np.nan)
    trend, age = np.full(count, np.nan), np.full(count, np.nan)
    top = bottom = 0  # bars of the extremes since the last turn
    side = turned = 0
    last_high = last_low = np.nan
    for bar in range(1, count):
        is_top = side >= 0 and high[bar] > high[top]
        is_bottom = side <= 0 and low[bar] < low[bottom]
        if is_top:
            top = bar
        if is_bottom:
            bottom = bar
        # Whole percents of whole prices are compared exactly.
        fall, rise = 100 * (high[top] - low[bar]), 100 * (high[bar] - low[bottom])
        falls = side >= 0 and not is_top and fall >= percent * high[top]
        rises = side <= 0 and not is_bottom and rise >= percent * low[bottom]
        if falls and not rises:
            side, turned, last_high = -1, top, high[top]
            bottom = top + 1 + np.argmin(low[top + 1 : bar + 1])
        elif rises and not falls:  # one candle that shows both, before any turn, shows neither
            side, turned, last_low = 1, bottom, low[bottom]
            top = bottom + 1 + np.argmax(high[bottom + 1 : bar + 1])
        highs[bar], lows[bar] = last_high, last_low
        if side != 0:
            trend[bar], age[bar] = side, bar - turned
    return highs, lows, trend, age


def schaff_trend_cycle(
    candles: Candles, cycle: int, fast: int, slow: int, smoothing: float
) -> Float:
    """Return the place of the MACD in its range, taken twice, each smoothed.

    smoothing: the share of each new place; the rest is the smoothed place before
    returns: (n,) float64, 0 to 100, NaN until the MACD and its place in its range have moved

    Source: Doug Schaff, "The Schaff Trend Cycle" (1999), as
    https://www.investopedia.com/articles/forex/10/schaff-trend-cycle-indicator.asp describes it.
    """
    macd = talib.EMA(candles.close, fast) - talib.EMA(candles.close, slow)
    once = _smoothed_place(macd, cycle, smoothing)
    # TA-Lib refuses a line without a value: the MACD has never moved.
    return once if np.isnan(once[-1]) else _smoothed_place(once, cycle, smoothing)


def _smoothed_place(values: Float, period: int, smoothing: float) -> Float:
    return smoothed_place(values, talib.MIN(values, period), talib.MAX(values, period), smoothing)


@njit(cache=True, nogil=True, error_model="numpy")
def smoothed_place(values: Float, lowest: Float, highest: Float, smoothing: float) -> Float:
    """Return where values lie from lowest to highest, 0 to 100, smoothed.

    If these are equal, the place stays; NaN until they were apart.
    """
    found = np.full(len(values), np.nan)
    place = smoothed = np.nan
    for bar in range(len(values)):
        reach = highest[bar] - lowest[bar]
        if reach > 0:
            place = 100 * (values[bar] - lowest[bar]) / reach
        if np.isnan(smoothed):
            smoothed = place
        else:
            smoothed += smoothing * (place - smoothed)
        found[bar] = smoothed
    return found

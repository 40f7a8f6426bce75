"""Functions that TA-Lib lacks: sum, mean, z-score and R² of a window, and the mean of a day.

A window's sums are put together from the end of one block of `period` candles and the beginning of
the next. Nothing is ever subtracted again, so that no rounding is carried along: a large value that
has left the window leaves nothing behind, and equal closes give a deviation of exactly 0.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mela.candles import Candles
from mela.interval import DAY_MS

Float = NDArray[np.float64]


def vwap(candles: Candles, period: int) -> Float:
    """Return the mean typical price of the last `period` candles, weighted by volume.

    returns: (n,) float64, NaN where fewer candles are there or none of them has volume
    """
    return rolling_vwap(candles.high, candles.low, candles.close, candles.volume, period)


def session_vwap(candles: Candles) -> Float:
    """Return the mean typical price since the UTC day began, weighted by volume.

    returns: (n,) float64, NaN in a day whose beginning was not read, and until there is volume
    """
    return daily_vwap(candles.opened_ms, candles.high, candles.low, candles.close, candles.volume)


def zscore(candles: Candles, period: int) -> Float:
    """Return how many deviations (ddof 0) the close is above the mean of its last `period` ones.

    returns: (n,) float64, NaN where fewer candles are there or all these closes are equal
    """
    return rolling_zscore(candles.close, period)


def r_squared(candles: Candles, period: int) -> Float:
    """Return R² of the straight line by least squares through the last `period` closes.

    returns: (n,) float64, 0 to 1, NaN where fewer candles are there or all these closes are equal
    """
    return rolling_r_squared(candles.close, period)


def alma(candles: Candles, period: int, offset: float, sigma: float) -> Float:
    """Return the mean of the last closes, weighted by a bell.

    The bell's top lies `offset` of the way from the oldest close to the newest, its width is
    `period` / `sigma`.

    Source: Arnaud Legoux and Dimitrios Kouzis-Loukas, "ALMA" (2009).
    """
    place = np.arange(period)
    top, width = offset * (period - 1), period / sigma
    weights = np.exp(-((place - top) ** 2) / (2 * width**2))
    return rolling_dot(candles.close, weights / weights.sum())


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_dot(values: Float, weights: Float) -> Float:
    """Return the weighted sum of each window, `weights[0]` for its oldest value."""
    period = len(weights)
    dot = np.full(len(values), np.nan)
    for bar in range(period - 1, len(values)):
        total = 0.0
        for place in range(period):
            total += weights[place] * values[bar - period + 1 + place]
        dot[bar] = total
    return dot


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_sum(values: Float, period: int) -> Float:
    """Return the sum of the last `period` values; NaN where one of these is NaN."""
    sums = np.full(len(values), np.nan)
    older = np.empty(period)  # sums from a bar to its block's end
    for begin in range(0, len(values) - period + 1, period):
        end = begin + period
        total = 0.0
        for bar in range(end - 1, begin - 1, -1):
            total += values[bar]
            older[bar - begin] = total
        sums[end - 1] = total
        total = 0.0
        for bar in range(end, min(end + period - 1, len(values))):
            total += values[bar]
            sums[bar] = older[bar - end + 1] + total
    return sums


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_r_squared(close: Float, period: int) -> Float:
    """Return `r_squared` of a column: distances from a close and a place that each window holds."""
    found = np.full(len(close), np.nan)
    first, second, mixed = np.empty(period), np.empty(period), np.empty(period)
    spread = period * (period * period - 1.0) / 12  # of the places
    for begin in range(0, len(close) - period + 1, period):
        end = begin + period
        centre = close[end - 1]
        total = squares = products = 0.0
        for bar in range(end - 1, begin - 1, -1):
            distance = close[bar] - centre
            total += distance
            squares += distance * distance
            products += (bar - end) * distance
            first[bar - begin], second[bar - begin] = total, squares
            mixed[bar - begin] = products
        total = squares = products = 0.0
        for bar in range(end - 1, min(end + period - 1, len(close))):
            oldest = bar - end + 1
            if bar >= end:
                distance = close[bar] - centre
                total += distance
                squares += distance * distance
                products += (bar - end) * distance
            middle = (bar - end) - (period - 1) / 2
            whole = first[oldest] + total
            variance = second[oldest] + squares - whole * whole / period
            covariance = mixed[oldest] + products - middle * whole
            if variance > 0:
                found[bar] = min(1.0, covariance * covariance / (spread * variance))
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_vwap(high: Float, low: Float, close: Float, volume: Float, period: int) -> Float:
    """Return `vwap` of the columns."""
    vwap = np.full(len(close), np.nan)
    traded, weight = np.empty(period), np.empty(period)  # sums from a bar to its block's end
    for begin in range(0, len(close) - period + 1, period):
        end = begin + period
        paid = amount = 0.0
        for bar in range(end - 1, begin - 1, -1):
            paid += (high[bar] + low[bar] + close[bar]) / 3 * volume[bar]
            amount += volume[bar]
            traded[bar - begin], weight[bar - begin] = paid, amount
        if amount > 0:
            vwap[end - 1] = paid / amount
        paid = amount = 0.0
        for bar in range(end, min(end + period - 1, len(close))):
            paid += (high[bar] + low[bar] + close[bar]) / 3 * volume[bar]
            amount += volume[bar]
            oldest = bar - end + 1
            whole = weight[oldest] + amount
            if whole > 0:
                vwap[bar] = (traded[oldest] + paid) / whole
    return vwap


@njit(cache=True, nogil=True, error_model="numpy")
def daily_vwap(
    opened_ms: NDArray[np.int64], high: Float, low: Float, close: Float, volume: Float
) -> Float:
    """Return `session_vwap` of the columns."""
    vwap = np.full(len(close), np.nan)
    paid = amount = 0.0
    begun = False
    for bar in range(len(close)):
        day = opened_ms[bar] // DAY_MS
        if opened_ms[bar] == day * DAY_MS or (bar > 0 and opened_ms[bar - 1] // DAY_MS != day):
            begun, paid, amount = True, 0.0, 0.0
        paid += (high[bar] + low[bar] + close[bar]) / 3 * volume[bar]
        amount += volume[bar]
        if begun and amount > 0:
            vwap[bar] = paid / amount
    return vwap


@njit(cache=True, nogil=True, error_model="numpy")
def rolling_zscore(close: Float, period: int) -> Float:
    """Return `zscore` of a column: sums of distances from a close that each window holds."""
    zscore = np.full(len(close), np.nan)
    first, second = np.empty(period), np.empty(period)
    for begin in range(0, len(close) - period + 1, period):
        end = begin + period
        centre = close[end - 1]
        total = squares = 0.0
        for bar in range(end - 1, begin - 1, -1):
            distance = close[bar] - centre
            total += distance
            squares += distance * distance
            first[bar - begin], second[bar - begin] = total, squares
        mean = total / period
        variance = squares / period - mean * mean
        if variance > 0:
            zscore[end - 1] = -mean / np.sqrt(variance)
        total = squares = 0.0
        for bar in range(end, min(end + period - 1, len(close))):
            distance = close[bar] - centre
            total += distance
            squares += distance * distance
            oldest = bar - end + 1
            mean = (first[oldest] + total) / period
            variance = (second[oldest] + squares) / period - mean * mean
            if variance > 0:
                zscore[bar] = (distance - mean) / np.sqrt(variance)
    return zscore

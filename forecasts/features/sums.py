"""Sums over windows that are the same bits wherever a series begins.

A float that is added to a running sum and subtracted later leaves its rounding behind, so that a
sum depends on how long it has been running. Here each value is rounded once, to a whole multiple
of a power of two that depends on the window alone, and whole numbers are added: their sums are
exact in any order. What a value may be at most decides the power: values beyond it are cut off.
NaN where a window holds a NaN or has too few values.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]
LOG_RETURN = 1.0  # of a candle: a factor of 2.7. What moved farther counts as that in a sum
LOG_LEVEL = 64.0  # of a price or a volume: from 1e-28 to 6e27
FLAT = 1e-12  # a variance below this share of the mean square is rounding: nothing moved


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _scale(bound: float, period: int) -> float:
    return 2.0 ** (62 - math.ceil(math.log2(bound * period)))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _whole(value: float, bound: float, scale: float) -> int:
    return int(np.rint(min(max(value, -bound), bound) * scale))


@njit(cache=True, nogil=True, error_model="numpy")
def window_mean(values: Float, period: int, bound: float) -> Float:
    """Return the mean of the last `period` values, (n,) float64; bound: their greatest size."""
    found = np.full(len(values), np.nan)
    scale = _scale(bound, period)
    total, unknown = 0, 0
    for bar in range(len(values)):
        value = values[bar]
        if np.isnan(value):
            unknown += 1
        else:
            total += _whole(value, bound, scale)
        if bar >= period:
            value = values[bar - period]
            if np.isnan(value):
                unknown -= 1
            else:
                total -= _whole(value, bound, scale)
        if bar >= period - 1 and unknown == 0:
            found[bar] = total / scale / period
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def window_moments(values: Float, period: int, bound: float) -> tuple[Float, Float]:
    """Return mean and variance (ddof 1) of the last `period` values; the variance of equals is 0.

    period: at least 2
    """
    means, variances = np.full(len(values), np.nan), np.full(len(values), np.nan)
    squared = bound * bound
    scale, scale_2 = _scale(bound, period), _scale(squared, period)
    total, total_2, unknown = 0, 0, 0
    for bar in range(len(values)):
        value = values[bar]
        if np.isnan(value):
            unknown += 1
        else:
            total += _whole(value, bound, scale)
            total_2 += _whole(value * value, squared, scale_2)
        if bar >= period:
            value = values[bar - period]
            if np.isnan(value):
                unknown -= 1
            else:
                total -= _whole(value, bound, scale)
                total_2 -= _whole(value * value, squared, scale_2)
        if bar >= period - 1 and unknown == 0:
            mean = total / scale / period
            square = total_2 / scale_2 / period
            variance = square - mean * mean
            means[bar] = mean
            variances[bar] = 0.0 if variance <= FLAT * square else variance * period / (period - 1)
    return means, variances


@njit(cache=True, nogil=True, error_model="numpy")
def window_comoments(
    first: Float, second: Float, period: int, bound: float, bound_2: float
) -> tuple[Float, Float, Float]:
    """Return both variances and the covariance (ddof 1) of the last `period` pairs of values."""
    count = len(first)
    variances, variances_2 = np.full(count, np.nan), np.full(count, np.nan)
    covariances = np.full(count, np.nan)
    s1, s2 = _scale(bound, period), _scale(bound_2, period)
    s11, s22 = _scale(bound * bound, period), _scale(bound_2 * bound_2, period)
    s12 = _scale(bound * bound_2, period)
    t1, t2, t11, t22, t12, unknown = 0, 0, 0, 0, 0, 0
    for bar in range(count):
        for leaves in range(2):
            place = bar - period if leaves else bar
            if place < 0:
                continue
            sign = -1 if leaves else 1
            a, b = first[place], second[place]
            if np.isnan(a) or np.isnan(b):
                unknown += sign
                continue
            t1 += sign * _whole(a, bound, s1)
            t2 += sign * _whole(b, bound_2, s2)
            t11 += sign * _whole(a * a, bound * bound, s11)
            t22 += sign * _whole(b * b, bound_2 * bound_2, s22)
            t12 += sign * _whole(a * b, bound * bound_2, s12)
        if bar >= period - 1 and unknown == 0:
            mean, mean_2 = t1 / s1 / period, t2 / s2 / period
            square, square_2 = t11 / s11 / period, t22 / s22 / period
            v1, v2 = square - mean * mean, square_2 - mean_2 * mean_2
            more = period / (period - 1)
            variances[bar] = 0.0 if v1 <= FLAT * square else v1 * more
            variances_2[bar] = 0.0 if v2 <= FLAT * square_2 else v2 * more
            covariances[bar] = (t12 / s12 / period - mean * mean_2) * more
    return variances, variances_2, covariances


@njit(cache=True, nogil=True, error_model="numpy")
def window_slope(values: Float, period: int, bound: float) -> Float:
    """Return the slope, by least squares, of the straight line through the last `period` values."""
    found = np.full(len(values), np.nan)
    scale = _scale(bound, period * period)
    total, weighted, unknown = 0, 0, 0  # of the values; of the values times their place
    spread = period * (period * period - 1.0) / 12.0
    for bar in range(len(values)):
        entering = 0 if np.isnan(values[bar]) else _whole(values[bar], bound, scale)
        unknown += np.isnan(values[bar])
        if bar >= period:
            value = values[bar - period]
            leaving = 0 if np.isnan(value) else _whole(value, bound, scale)
            unknown -= np.isnan(value)
            total -= leaving
            weighted -= total  # those that stay move one place down
            weighted += (period - 1) * entering
        else:
            weighted += bar * entering
        total += entering
        if bar >= period - 1 and unknown == 0:
            found[bar] = (weighted - (period - 1) / 2.0 * total) / scale / spread
    return found

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


@njit(cache=True, nogil=True, error_model="numpy")
def _wholes(values: Float, bound: float, scale: float) -> NDArray[np.int64]:
    """Return each value as a whole number of 1 / scale; 0 for a NaN, which `_hide` puts back."""
    found = np.empty(len(values), np.int64)
    for bar in range(len(values)):
        value = values[bar]
        cut = min(max(value, -bound), bound) if value == value else 0.0
        found[bar] = int(np.rint(cut * scale))
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _sums(wholes: NDArray[np.int64], period: int, unit: float) -> Float:
    """Return the sum of the last `period` whole numbers, or of as many as there are, in units."""
    found, total = np.empty(len(wholes)), 0
    first = min(period, len(wholes))
    for bar in range(first):
        total += wholes[bar]
        found[bar] = total * unit
    later, entering, leaving = found[first:], wholes[first:], wholes[: len(wholes) - first]
    for place in range(len(later)):
        total += entering[place] - leaving[place]
        later[place] = total * unit
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _hide(found: Float, values: Float, period: int) -> None:
    """Put NaN where a window has too few values, or holds a NaN."""
    count, lead = len(values), 0
    while lead < count and values[lead] != values[lead]:
        lead += 1
    found[: min(count, lead + period - 1)] = np.nan
    unknown = 0
    for bar in range(lead, count):
        unknown += values[bar] != values[bar]
    if unknown:
        last = lead - 1
        for bar in range(lead, count):
            if values[bar] != values[bar]:
                last = bar
            if bar - last < period:
                found[bar] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def window_mean(values: Float, period: int, bound: float) -> Float:
    """Return the mean of the last `period` values, (n,) float64; bound: their greatest size."""
    scale = _scale(bound, period)
    found = _sums(_wholes(values, bound, scale), period, 1.0 / (scale * period))
    _hide(found, values, period)
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def window_moments(values: Float, period: int, bound: float) -> tuple[Float, Float]:
    """Return mean and variance (ddof 1) of the last `period` values; the variance of equals is 0.

    period: at least 2
    """
    squared = bound * bound
    scale, scale_2 = _scale(bound, period), _scale(squared, period)
    means = _sums(_wholes(values, bound, scale), period, 1.0 / (scale * period))
    wholes_2 = _wholes(values * values, squared, scale_2)
    variances = _variances(means, _sums(wholes_2, period, 1.0 / (scale_2 * period)), period)
    _hide(means, values, period)
    _hide(variances, values, period)
    return means, variances


@njit(cache=True, nogil=True, error_model="numpy")
def _variances(means: Float, squares: Float, period: int) -> Float:
    """Put variances (ddof 1) in the place of the means of squares, and return them."""
    more = period / (period - 1)
    for bar in range(len(means)):
        square = squares[bar]
        variance = square - means[bar] * means[bar]
        squares[bar] = 0.0 if variance <= FLAT * square else variance * more
    return squares


@njit(cache=True, nogil=True, error_model="numpy")
def window_comoments(
    first: Float, second: Float, period: int, bound: float, bound_2: float
) -> tuple[Float, Float, Float]:
    """Return both variances and the covariance (ddof 1) of the last `period` pairs of values."""
    both = first + second  # NaN where one of them is
    first, second = np.where(both != both, np.nan, first), np.where(both != both, np.nan, second)
    found, found_2 = window_moments(first, period, bound), window_moments(second, period, bound_2)
    products = window_mean(first * second, period, bound * bound_2)
    covariances = (products - found[0] * found_2[0]) * (period / (period - 1))
    return found[1], found_2[1], covariances


@njit(cache=True, nogil=True, error_model="numpy")
def window_slope(values: Float, period: int, bound: float) -> Float:
    """Return the slope, by least squares, of the straight line through the last `period` values."""
    found = np.empty(len(values))
    scale = _scale(bound, period * period)
    wholes = _wholes(values, bound, scale)
    total, weighted = 0, 0  # of the values; of the values times their place
    half, unit = (period - 1) / 2.0, 1.0 / (scale * (period * (period * period - 1.0) / 12.0))
    for bar in range(len(values)):
        entering = wholes[bar]
        if bar >= period:
            total -= wholes[bar - period]
            weighted -= total  # those that stay move one place down
            weighted += (period - 1) * entering
        else:
            weighted += bar * entering
        total += entering
        found[bar] = (weighted - half * total) * unit
    _hide(found, values, period)
    return found

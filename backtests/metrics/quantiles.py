"""Quantiles by selection: what a sort would give, at the price of a few passes."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]


SAMPLE = 15


@njit(cache=True, nogil=True, error_model="numpy")
def select(values: Float, place: int, first: int) -> tuple[float, int]:
    """Return the value that a sort of values[first:] would put at `place`; it reorders them.

    values: (n,) float64, no NaN; first ≤ place < n
    returns: the value, and a limit above `place`, at or above which nothing is smaller than
        anything before it: what is smaller than the value lies before `place`, what is larger
        behind it, and the next in the order before the limit, unless that is place + 1

    Source: Hoare, "Algorithm 65: Find", Communications of the ACM 4 (1961), with pivots near the
    place (Floyd & Rivest, "Algorithm 489: SELECT", 1975) and Lomuto's partition without a branch.
    """
    end = limit = len(values)
    draw = 1
    while end - first > 1:
        draw = (draw * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        pivot = _pivot(values, place, first, end, draw)
        middle = first
        for i in range(first, end):
            value = values[i]
            values[i] = values[middle]
            values[middle] = value
            middle += value < pivot
        if place < middle:
            end = middle
            limit = middle if middle > place + 1 else limit
            continue
        above = middle  # equal returns are many where no position was held
        for i in range(middle, end):
            value = values[i]
            values[i] = values[above]
            values[above] = value
            above += value <= pivot
        if place < above:
            return pivot, limit
        first = above
    return values[place], limit


@njit(cache=True, nogil=True, error_model="numpy")
def _pivot(values: Float, place: int, first: int, end: int, draw: int) -> float:
    # The second lowest of a few where the place is low, the second highest where it is high, so
    # that one pass leaves about an eighth; an accident costs a pass.
    count = end - first
    step = count // SAMPLE
    share = (place - first) / count
    if step < 4 or 0.12 < share < 0.88:
        one, other = values[first + draw % count], values[(first + end) // 2]
        return max(min(one, other), min(max(one, other), values[end - 1]))
    lowest = low = np.inf
    highest = high = -np.inf
    for i in range(first + draw % step, end, step):
        value = values[i]
        low = min(low, max(lowest, value))
        lowest = min(lowest, value)
        high = max(high, min(highest, value))
        highest = max(highest, value)
    return low if share < 0.5 else high


@njit(cache=True, nogil=True, error_model="numpy")
def quantile(values: Float, share: float, first: int) -> tuple[float, float, int]:
    """Return a quantile, interpolated as numpy's default does; it reorders the values.

    values: (n,) float64, n ≥ 1, no NaN; none of values[:first] is above any of the rest, and the
        place asked for is not among them
    returns: the quantile, the value at or below it, and that one's place in the order

    Source: Hyndman & Fan, "Sample Quantiles in Statistical Packages", American Statistician 50
    (1996), definition 7.
    """
    at = share * (len(values) - 1)
    place = int(at)
    low, limit = select(values, place, first)
    weight = at - place
    if weight == 0.0:
        return low, low, place
    high = np.inf
    for i in range(place + 1, limit):
        high = min(high, values[i])
    step = high - low
    found = high - step * (1.0 - weight) if weight >= 0.5 else low + step * weight
    return found, low, place

"""Measure how much of a span its candles cover, against the market's calendar."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mela.calendars import expected_opens_ms
from mela.candles import Candles
from mela.interval import DAY_MS, Interval

Int = NDArray[np.int64]
Expected = Callable[[int, int], Int]
WINDOW = 2**16  # candles looked at together: a span may be far longer than its data
ENDS_EARLY = "ends_early"
FEWER = 2**12  # by how much the first look is shorter: mostly the first candle is found at once


def coverage_warnings(
    candles: Candles, start_ms: int, end_ms: int, *, even: bool = False
) -> tuple[str, ...]:
    """Return which of `starts_late`, `ends_early` and `gaps` hold for [start, end).

    candles: at least one in the span; start_ms, end_ms: UTC milliseconds
    even: whether all of the span's candles are known to follow each other by one interval
    returns: nothing where the calendar is unknown, or has no candle in the span
    """
    present = candles.opened_ms[candles.start_bar :]
    width = WINDOW * (candles.interval.fixed_ms or 31 * DAY_MS)

    on_grid = grid_of(present, candles.interval)

    def expected(from_ms: int, to_ms: int) -> Int:
        opens = expected_opens_ms(candles.calendar, candles.interval, from_ms, to_ms)
        moved = on_grid(opens)
        return moved[moved >= from_ms]

    try:
        first = _first(expected, start_ms, end_ms, width)
        last = _last(expected, start_ms, end_ms, width)
        opening = int(present[0])
        is_whole = even and len(expected(opening, opening + 1)) == 1
        gaps = not is_whole and _has_gaps(expected, present, width)
    except ValueError:  # a market whose hours nobody knows: nothing can be said to be missing
        return ()
    conditions = {
        "starts_late": len(_absent(first, present)) > 0,
        ENDS_EARLY: len(_absent(last, present)) > 0,
        "gaps": gaps,
    }
    return tuple(warning for warning, holds in conditions.items() if holds)


def grid_of(present: Int, interval: Interval) -> Callable[[Int], Int]:
    """Return what moves expected openings to the grid on which the candles stand.

    New York opens at half past nine, and some sources' hours open at nine: that is no gap.
    """
    step = interval.fixed_ms
    if not interval.is_intraday or step is None:
        return lambda opens: opens
    offset = int(present[0]) % step
    if (present % step != offset).any():
        return lambda opens: opens
    return lambda opens: opens - (opens - offset) % step


def _first(expected: Expected, start_ms: int, end_ms: int, width: int) -> Int:
    found, looked = np.array([], dtype=np.int64), max(width // FEWER, 1)
    while start_ms < end_ms and len(found) == 0:
        found = expected(start_ms, min(end_ms, start_ms + looked))[:1]
        start_ms, looked = start_ms + looked, width
    return found


def _last(expected: Expected, start_ms: int, end_ms: int, width: int) -> Int:
    found, looked = np.array([], dtype=np.int64), max(width // FEWER, 1)
    while start_ms < end_ms and len(found) == 0:
        found = expected(max(start_ms, end_ms - looked), end_ms)[-1:]
        end_ms, looked = end_ms - looked, width
    return found


def _has_gaps(expected: Expected, present: Int, width: int) -> bool:
    end_ms = int(present[-1])
    windows = range(int(present[0]), end_ms, width)
    return any(
        len(_absent(expected(from_ms, min(end_ms, from_ms + width)), present)) > 0
        for from_ms in windows
    )


def _absent(expected: Int, present: Int) -> Int:
    place = np.minimum(np.searchsorted(present, expected), len(present) - 1)
    return expected[present[place] != expected]

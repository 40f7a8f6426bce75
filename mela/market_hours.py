"""Market hours: the regular sessions, and the hours before and after them.

Regular sessions are those of the market's calendar (`mela.calendars`), half days included; a lunch
break counts as open. Hours before and after are known of the exchanges of the United States alone:
from 04:00 to 20:00 in New York, to 17:00 on half days. On other exchanges extended hours equal
regular ones; `24/7` and `24/5` know no difference.

Extended hours have candles of at most half an hour. A longer one would lie in two parts of a day,
before the session and in it, and nobody could say which hours it is of.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mela.calendars import (
    ALWAYS,
    NO_SESSION,
    closes_ms,
    expected_opens_ms,
    has_sessions,
    read_calendar,
    sessions,
    steps_ms,
    zone_of,
)
from mela.interval import DAY_MS, HOUR_MS, MINUTE_MS, Interval
from mela.risk_limits import SessionHours

Int = NDArray[np.int64]
_EXTENDED = frozenset(("XNYS", "XNAS", "ARCX", "BATS"))  # calendars of one set of hours
LONGEST_EXTENDED_MS = 30 * MINUTE_MS  # of a candle: every part of a day is a multiple of it
_BEFORE_H, _AFTER_H, _AFTER_HALF_DAY_H, _USUAL_CLOSE_H = 4, 20, 17, 16
_MONDAY_MS = -3 * DAY_MS


class Phase(IntEnum):
    """When in a market's day something happens."""

    CLOSED = 0
    BEFORE = 1
    REGULAR = 2
    AFTER = 3


class _Hours(NamedTuple):
    """All sessions: (n,) int64 of UTC milliseconds each; begin and end with the hours around."""

    begin_ms: Int
    open_ms: Int
    close_ms: Int
    end_ms: Int


def is_open(
    calendar: str,
    at_ms: float,
    hours: SessionHours = "regular",
    halts: Sequence[tuple[float, float]] = (),
) -> float:
    """Return whether a market trades at an instant: 1.0 or 0.0; NaN where that is not known.

    at_ms: UTC milliseconds; halts: spans [start, end) in which the instrument does not trade
    A market opens at its first instant and is closed at its last. Unknown are instants before the
    first session of a calendar and after its last one, and what is not a number.
    Raises ValueError for an unknown calendar.

    >>> thursday = 1_704_405_600_000  # 2024-01-04 at 17:00 in New York
    >>> is_open("XNYS", thursday), is_open("XNYS", thursday, "extended"), is_open("24/7", thursday)
    (0.0, 1.0, 1.0)
    """
    if not math.isfinite(at_ms):
        return math.nan
    if any(start <= at_ms and not at_ms >= end for start, end in halts):
        return 0.0
    if not has_sessions(calendar):
        return float(calendar == ALWAYS or (at_ms - _MONDAY_MS) // DAY_MS % 7 < 5)
    begins, opens, closes, ends = _lists(calendar)
    if not begins[0] <= at_ms < ends[-1]:
        return math.nan
    first, last = (begins, ends) if hours == "extended" else (opens, closes)
    session = bisect.bisect_right(first, at_ms) - 1
    return float(session >= 0 and at_ms < last[session])


def next_end_ms(calendar: str, at_ms: int, hours: SessionHours = "regular") -> int:
    """Return when the trading day ends that an instant lies in, or the next one, in some hours.

    Raises ValueError for a calendar that is unknown or has no sessions, and after its last session.
    """
    known = _hours(calendar)
    ends = known.end_ms if hours == "extended" else known.close_ms
    row = int(np.searchsorted(ends, at_ms, side="right"))
    if row == len(ends):
        raise ValueError(f"{calendar} has no session after {at_ms} that is known")
    return int(ends[row])


def has_hours_around(calendar: str) -> bool:
    """Tell whether hours before and after the sessions of a market are known.

    >>> has_hours_around("XNYS"), has_hours_around("XLON"), has_hours_around("24/7")
    (True, False, False)
    """
    return read_calendar(calendar) in _EXTENDED


def phases(calendar: str, interval: Interval, opened_ms: Int) -> NDArray[np.int8]:
    """Return the Phase in which each candle opens, (n,) int8; of a day and longer all REGULAR.

    Raises ValueError for an unknown calendar.
    """
    marked = np.full(len(opened_ms), Phase.REGULAR, np.int8)
    if not interval.is_intraday or calendar == ALWAYS:
        return marked
    if not has_sessions(calendar):
        marked[(opened_ms - _MONDAY_MS) // DAY_MS % 7 >= 5] = Phase.CLOSED
        return marked
    hours = _hours(calendar)
    at = np.searchsorted(hours.begin_ms, opened_ms, side="right") - 1
    known = np.maximum(at, 0)
    marked[opened_ms >= hours.close_ms[known]] = Phase.AFTER
    marked[opened_ms < hours.open_ms[known]] = Phase.BEFORE
    marked[(at < 0) | (opened_ms >= hours.end_ms[known])] = Phase.CLOSED
    return marked


def opens_in(
    calendar: str, interval: Interval, start_ms: int, end_ms: int, hours: SessionHours = "regular"
) -> Int:
    """Return all opening times that a market has in [start, end) in some hours: (n,) int64, rising.

    As `mela.calendars.expected_opens_ms`, with those before and after the sessions if asked for;
    of candles longer than half an hour there are none.
    Raises ValueError for an unknown calendar.
    """
    if not _is_extended(calendar, interval, hours):
        return expected_opens_ms(calendar, interval, start_ms, end_ms)
    edges = _edges(calendar)
    first, last = np.searchsorted(edges, [start_ms, end_ms])
    some = slice(max(int(first) - 1, 0), int(last) + 1)
    begins, ends = edges[:-1][some], edges[1:][some]
    is_open = _parts(calendar)[some]
    opens = steps_ms(begins[is_open], ends[is_open], interval)
    return opens[(opens >= start_ms) & (opens < end_ms)]


def closes_in(
    calendar: str, interval: Interval, opened_ms: Int, hours: SessionHours = "regular"
) -> Int:
    """Return when each candle closes in some hours: (n,) int64 in, (n,) int64 out.

    As `mela.calendars.closes_ms`; in extended hours with the part of the day in which it opened.
    NO_SESSION where the market is closed then. Raises ValueError for an unknown calendar.
    """
    if not _is_extended(calendar, interval, hours):
        return closes_ms(calendar, interval, opened_ms)
    edges, at = _edges(calendar), _part_of(calendar, opened_ms)
    closes = np.minimum(interval.ends_ms(opened_ms), edges[np.minimum(at + 1, len(edges) - 1)])
    return np.where(_is_in_part(calendar, at), closes, NO_SESSION)


def trades_in(marked: NDArray[np.int8], hours: SessionHours | None) -> NDArray[np.bool_]:
    """Tell which of the marked candles can fill orders in these hours; None for all of them."""
    if hours is None:
        return np.ones(len(marked), np.bool_)
    return marked == Phase.REGULAR if hours == "regular" else marked != Phase.CLOSED


def _is_extended(calendar: str, interval: Interval, hours: SessionHours) -> bool:
    is_short = (interval.fixed_ms or DAY_MS) <= LONGEST_EXTENDED_MS
    return hours == "extended" and is_short and has_hours_around(calendar)


@lru_cache(maxsize=16)
def _edges(calendar: str) -> Int:
    """Return begin, open, close and end of each day, one after the other: (4n,) int64, rising."""
    return np.stack(_hours(calendar), axis=1).reshape(-1)


@lru_cache(maxsize=16)
def _parts(calendar: str) -> NDArray[np.bool_]:
    """Tell whether the market trades between each edge and the next one: (4n - 1,) bool."""
    return np.arange(len(_edges(calendar)) - 1) % 4 != 3


def _part_of(calendar: str, instants_ms: Int) -> Int:
    return np.searchsorted(_edges(calendar), instants_ms, side="right") - 1


def _is_in_part(calendar: str, at: Int) -> NDArray[np.bool_]:
    return (at >= 0) & (at < len(_edges(calendar)) - 1) & (at % 4 != 3)


@lru_cache(maxsize=16)
def _hours(calendar: str) -> _Hours:
    known = sessions(calendar)
    opens, closes = known.open_ms, known.close_ms
    name = read_calendar(calendar)
    if name not in _EXTENDED:
        return _Hours(opens, opens, closes, closes)
    midnights = _midnights(known.date_ms, zone_of(name))
    is_half = closes < midnights + _USUAL_CLOSE_H * HOUR_MS
    after = np.where(is_half, _AFTER_HALF_DAY_H, _AFTER_H)
    begins = np.minimum(midnights + _BEFORE_H * HOUR_MS, opens)
    return _Hours(begins, opens, closes, np.maximum(midnights + after * HOUR_MS, closes))


def _midnights(date_ms: Int, zone: str) -> Int:
    """Return when each day begins where the exchange is, whose clock changes on no session."""
    import pandas as pd

    dates: Any = pd.DatetimeIndex(date_ms.astype("datetime64[ms]"))
    local = dates.tz_localize(zone).tz_convert(None)
    return np.asarray(local, "datetime64[ms]").astype(np.int64)


@lru_cache(maxsize=16)
def _lists(calendar: str) -> tuple[list[int], list[int], list[int], list[int]]:
    begin, open_, close, end = (column.tolist() for column in _hours(calendar))
    return begin, open_, close, end

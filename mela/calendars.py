"""When markets trade: the opening times that a calendar has, and the true closes of its sessions.

A calendar is `24/7`, `24/5` (Monday to Friday, UTC; currencies) or a name that exchange_calendars
knows (`XNYS`). The package takes two seconds to import, so it is loaded on first use. Candles are
expected over lunch breaks too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mela.interval import DAY_MS, Interval

Int = NDArray[np.int64]

ALWAYS = "24/7"
WEEKDAYS = "24/5"
NO_SESSION = -1
USUAL = 21  # sessions, a month of them, of which most tell a market's hours
_STARTS = ("1962-01-02", "1997-01-01", None)  # Yahoo's oldest candles; some exchanges begin later
_MONDAY_MS = -3 * DAY_MS  # 1970-01-01 was a Thursday


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """All sessions of an exchange, oldest first: (n,) int64 of UTC milliseconds each.

    date_ms: the session's date at 00:00 UTC
    open_ms, close_ms: when trading begins and ends, half days and daylight saving included
    begin_ms: from when on trades belong to the session: midnight where the exchange is, or the
        true open if that comes first, but never before the close of the session before
    pause_ms: how long nobody trades between open and close, as over lunch in Tokyo
    """

    date_ms: Int
    open_ms: Int
    close_ms: Int
    begin_ms: Int
    pause_ms: Int

    def between(self, start_ms: int, end_ms: int) -> Sessions:
        """Return the sessions whose date lies in [start, end)."""
        first, last = np.searchsorted(self.date_ms, [start_ms, end_ms])
        part = slice(int(first), int(last))
        return Sessions(
            self.date_ms[part],
            self.open_ms[part],
            self.close_ms[part],
            self.begin_ms[part],
            self.pause_ms[part],
        )

    def holding(self, instants_ms: Int) -> Int:
        """Return the index of the session that each instant belongs to: (n,) int64.

        Trades before the open and after the close count to their day, as the exchange's clock shows
        it; those of a day without a session count to the session before. Instants before the first
        session belong to it.
        """
        at = np.searchsorted(self.begin_ms, instants_ms, side="right") - 1
        return np.maximum(at, 0)


def has_sessions(calendar: str) -> bool:
    """Tell whether a calendar is an exchange's, with sessions that open and close.

    >>> has_sessions("24/7"), has_sessions("24/5")
    (False, False)
    """
    return calendar not in (ALWAYS, WEEKDAYS)


@lru_cache(maxsize=16)
def sessions(calendar: str) -> Sessions:
    """Return every session of an exchange, from 1962 (some: 1997) to about a year ahead.

    Raises ValueError for a calendar that is unknown or has no sessions.
    """
    if not has_sessions(calendar):
        raise ValueError(f"expected a calendar with sessions, as XNYS, but found {calendar!r}")
    check_calendar(calendar)
    import exchange_calendars as xc

    return _sessions(_exchange(xc, calendar))


@lru_cache(maxsize=16)
def usual_lengths_ms(calendar: str) -> Int:
    """Return how long each session of an exchange is used to trade: (n,) int64, as `sessions`.

    The usual length is the median of it and the 20 before it, lunch breaks left out, so that a half
    day changes nothing and other hours count once they are the rule. Later sessions are not looked
    at. Raises as `sessions` does.
    """
    known = sessions(calendar)
    lengths = known.close_ms - known.open_ms - known.pause_ms
    padded = np.concatenate([np.full(USUAL - 1, lengths[0]), lengths])
    middle = np.partition(np.lib.stride_tricks.sliding_window_view(padded, USUAL), USUAL // 2)
    return middle[:, USUAL // 2].copy()


@lru_cache(maxsize=64)
def sessions_of_span(calendar: str, start_ms: int, end_ms: int) -> Sessions:
    """Return the sessions whose date lies in [start, end], without loading all the others.

    It is much faster than `sessions` for a calendar that is looked at once. Raises ValueError for a
    calendar that is unknown or has no sessions.
    """
    check_calendar(calendar)
    import exchange_calendars as xc

    span = [np.datetime64(ms, "ms").astype("datetime64[D]") for ms in (start_ms, end_ms)]
    first, last = (str(day) for day in (span[0] - 10, span[1] + 10))
    try:
        known = xc.get_calendar(calendar, start=first, end=last)
    except ValueError:  # the span reaches beyond what is known of this exchange
        return sessions(calendar).between(start_ms, end_ms + 1)
    return _sessions(known).between(start_ms, end_ms + 1)


def _sessions(known: Any) -> Sessions:
    import pandas as pd

    schedule = known.schedule
    clocks = {"nonexistent": "shift_forward", "ambiguous": np.ones(len(schedule), dtype=np.bool_)}
    midnights = schedule.index.tz_localize(known.tz, **clocks).tz_convert(None)
    dates, opens, closes, midnight = (
        np.asarray(column, "datetime64[ms]").astype(np.int64)
        for column in (schedule.index, schedule["open"], schedule["close"], midnights)
    )
    begins = np.minimum(opens, midnight)
    begins[1:] = np.maximum(begins[1:], closes[:-1])
    pauses = (schedule["break_end"] - schedule["break_start"]).fillna(pd.Timedelta(0))
    pause_ms = np.asarray(pauses, "timedelta64[ms]").astype(np.int64)
    return Sessions(dates, opens, closes, begins, pause_ms)


def zone_of(calendar: str) -> str:
    """Return the IANA name of the zone in which a calendar's days are counted.

    Raises ValueError for an unknown calendar.

    >>> zone_of("24/7"), zone_of("XTKS")
    ('UTC', 'Asia/Tokyo')
    """
    if not has_sessions(calendar):
        return "UTC"
    sessions(calendar)  # refuses what is unknown
    import exchange_calendars as xc

    return str(xc.get_calendar(calendar).tz)


def read_calendar(word: str) -> str:
    """Return the calendar that a user's word names: one name for each, whatever its case or alias.

    Raises ValueError for an unknown one.

    >>> read_calendar("NYSE"), read_calendar("xlon"), read_calendar("24/7")
    ('XNYS', 'XLON', '24/7')
    """
    if not has_sessions(word):
        return word
    import exchange_calendars as xc

    names = xc.get_calendar_names()
    name = next((one for one in (word, word.upper()) if one in names), word)
    check_calendar(name)
    return str(xc.resolve_alias(name))


def check_calendar(calendar: str) -> None:
    """Raise ValueError for a calendar that is unknown, naming the forms that are known."""
    if not has_sessions(calendar):
        return
    import exchange_calendars as xc

    if calendar not in xc.get_calendar_names():
        raise ValueError(
            f"expected 24/7, 24/5 or the name of an exchange's calendar, as XNYS, XLON or XTKS, "
            f"but found {calendar!r}"
        )


def _exchange(xc: Any, calendar: str) -> Any:
    for start in _STARTS[:-1]:
        try:
            return xc.get_calendar(calendar, start=start)
        except ValueError:  # this exchange's rules are known from a later date on
            continue
    return xc.get_calendar(calendar)


def session_closes(calendar: str, dates: Sequence[date]) -> Int:
    """Return the true close of each session: (n,) int64, UTC milliseconds.

    Raises ValueError for a date without a session, and for an unknown calendar.
    """
    opened = np.array([date_ms(day) for day in dates], dtype=np.int64)
    closed = closes_ms(calendar, Interval.D1, opened)
    without_session = np.flatnonzero(closed == NO_SESSION)
    if len(without_session):
        raise ValueError(f"{calendar} has no session on {dates[int(without_session[0])]}")
    return closed


def closes_ms(calendar: str, interval: Interval, opened_ms: Int) -> Int:
    """Return when each candle closes: (n,) int64 in, (n,) int64 out, UTC milliseconds.

    Without sessions that is opened_ms + interval. With them, the close of the last session that the
    candle touches, or its own end where that comes first; NO_SESSION where it touches none.
    """
    ends = interval.ends_ms(opened_ms)
    if not has_sessions(calendar):
        return ends
    known = sessions(calendar)
    if interval.is_intraday:
        index = np.searchsorted(known.close_ms, opened_ms, side="right")
        within = np.minimum(index, len(known.open_ms) - 1)
        touches = (index < len(known.open_ms)) & (known.open_ms[within] < ends)
        return np.where(touches, np.minimum(ends, known.close_ms[within]), NO_SESSION)
    index = np.searchsorted(known.date_ms, ends) - 1
    touches = (index >= 0) & (known.date_ms[index] >= opened_ms)
    return np.where(touches, known.close_ms[index], NO_SESSION)


def expected_opens_ms(calendar: str, interval: Interval, start_ms: int, end_ms: int) -> Int:
    """Return all opening times that a calendar has in [start, end): (n,) int64, rising.

    24/7: multiples of the interval since 1970; weeks open on Monday, months on their first day, and
    3d, as Binance's, every third day of the epoch. Sessions: a day is the session's date at 00:00
    UTC, longer candles are those that hold a session, and shorter ones step from the true open to
    the true close. Raises ValueError for an unknown calendar.
    """
    if end_ms <= start_ms:
        return np.array([], dtype=np.int64)
    if not has_sessions(calendar):
        opens = _arithmetic(interval, start_ms, end_ms)
        keep = calendar == ALWAYS or (interval.fixed_ms or 7 * DAY_MS) > DAY_MS
        return opens if keep else opens[(opens - _MONDAY_MS) // DAY_MS % 7 < 5]
    around = sessions(calendar).between(start_ms - 31 * DAY_MS, end_ms + 31 * DAY_MS)
    if interval.is_intraday:
        opens = steps_ms(around.open_ms, around.close_ms, interval)
    else:
        opens = floor_ms(interval, around.date_ms)
    return np.unique(opens[(opens >= start_ms) & (opens < end_ms)])


def session_dates(calendar: str, interval: Interval, opened_ms: Int) -> list[date] | None:
    """Return the session that each candle opened in, as a date; None where a calendar has none.

    A candle of a week or a month has the date that it opens with.
    """
    if not has_sessions(calendar):
        return None
    dates = opened_ms
    if interval.is_intraday:
        known = sessions(calendar)
        dates = known.date_ms[known.holding(opened_ms)]
    return dates.astype("datetime64[ms]").astype("datetime64[D]").tolist()


def floor_ms(interval: Interval, ms: Int) -> Int:
    """Return the 24/7 opening time of the candle that holds each instant: (n,) int64 in and out."""
    if interval.fixed_ms is None:
        months = ms.astype("datetime64[ms]").astype("datetime64[M]")
        return months.astype("datetime64[ms]").astype(np.int64)
    offset = _MONDAY_MS if interval is Interval.W1 else 0
    return (ms - offset) // interval.fixed_ms * interval.fixed_ms + offset


def date_ms(day: date) -> int:
    """Return a date's 00:00 UTC in milliseconds.

    >>> date_ms(date(1970, 1, 2))
    86400000
    """
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def _arithmetic(interval: Interval, start_ms: int, end_ms: int) -> Int:
    first = int(floor_ms(interval, np.array([start_ms], dtype=np.int64))[0])
    if interval.fixed_ms is None:
        days = np.arange(first, end_ms, DAY_MS, dtype=np.int64)
        opens = np.unique(floor_ms(interval, days))
    else:
        opens = np.arange(first, end_ms, interval.fixed_ms, dtype=np.int64)
    return opens[opens >= start_ms]


def steps_ms(begin_ms: Int, end_ms: Int, interval: Interval) -> Int:
    """Return the openings of candles that step through spans: from each begin, before its end.

    begin_ms, end_ms: (n,) int64 of UTC milliseconds; the last candle of a span may be shorter
    """
    step = interval.fixed_ms or DAY_MS
    counts = -((begin_ms - end_ms) // step)  # rounded up
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(begin_ms, counts) + offsets * step

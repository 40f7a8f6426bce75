"""Infer from the times of candles which market's calendar they follow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mela.calendars import ALWAYS, WEEKDAYS, Sessions, expected_opens_ms, sessions_of_span
from mela.interval import DAY_MS, Interval

Int = NDArray[np.int64]
SATURDAY, SUNDAY = 5, 6
OFTEN = 0.05  # of all days: fewer are special sessions, not a market that is open on that day
TWO_WEEKS = 14
FEWEST_DAYS = 20  # with fewer dates holidays tell nothing
# the exchanges that are tried, in this order, until one fits every candle
EXCHANGES = (
    *("XNYS", "XLON", "XETR", "XPAR", "XTKS", "XHKG", "XBOM", "XTSE", "XASX", "XSHG", "XKRX"),
    *("XTAI", "XSWX", "XAMS", "XMIL", "XMAD", "XSTO", "BVMF", "XJSE", "XTAE", "XSAU"),
)
WITH_HOLIDAYS_DAYS = 200  # in so many days each exchange has a holiday
WORST = 0.1  # of sessions and candles that do not fit: beyond it no exchange is meant


def infer_calendar(opened_ms: Int, interval: Interval) -> str:
    """Return the calendar that fits the times of candles best: 24/7, 24/5 or an exchange's.

    opened_ms: (n,) int64, UTC milliseconds, rising. All times count: a single session on a Saturday
        makes no market that never closes.

    >>> days = np.arange(0, 30 * DAY_MS, DAY_MS)
    >>> infer_calendar(days, Interval.D1), infer_calendar(days[:0], Interval.D1)
    ('24/7', 'XNYS')
    """
    days = np.unique(opened_ms // DAY_MS)
    weekdays = (days + 3) % 7  # 1970-01-01 was a Thursday, 3
    if opens_on_saturdays(opened_ms):
        return ALWAYS
    if interval.is_intraday and len(days) and (weekdays == SUNDAY).mean() > OFTEN:
        return WEEKDAYS
    longer = interval in (Interval.D3, Interval.W1, Interval.MO1)
    if longer or len(days) < FEWEST_DAYS:
        return EXCHANGES[0]
    misfits: dict[str, float] = {}
    if not interval.is_intraday:  # a market without holidays
        due = expected_opens_ms(WEEKDAYS, interval, int(opened_ms[0]), int(opened_ms[-1]) + 1)
        misfits[WEEKDAYS] = _apart(opened_ms, due)
        if misfits[WEEKDAYS] == 0.0 and days[-1] - days[0] > WITH_HOLIDAYS_DAYS:
            return WEEKDAYS
    for calendar in EXCHANGES:
        misfits[calendar] = _misfit(opened_ms, days, calendar, interval)
        if misfits[calendar] == 0.0:
            return calendar
    best = min(misfits, key=lambda name: misfits[name])
    if misfits[best] <= WORST:
        return best
    return WEEKDAYS if (weekdays == SUNDAY).any() else EXCHANGES[0]


def opens_on_saturdays(opened_ms: Int) -> bool:
    """Tell whether candles open on Saturdays as a rule, (n,) int64, UTC milliseconds.

    Over weeks, a market that does so opens on all other days too. If one of them is missing, it is
    a Sunday's session that began on Saturday in UTC.
    """
    days = np.unique(opened_ms // DAY_MS)
    counts = np.bincount((days + 3) % 7, minlength=7)
    if counts[SATURDAY] <= OFTEN * len(days):
        return False
    return len(days) < TWO_WEEKS or bool(counts.all())


def _misfit(opened_ms: Int, days: Int, calendar: str, interval: Interval) -> float:
    """Return the share of candles outside of sessions, and of sessions without candles."""
    first, last = int(days[0]) * DAY_MS, int(days[-1]) * DAY_MS
    known = sessions_of_span(calendar, *_whole_years(first, last)).between(first, last + 1)
    if not len(known.date_ms):
        return 1.0
    if not interval.is_intraday:
        return _apart(opened_ms, known.date_ms)
    return _outside(opened_ms, known, interval) + _without(opened_ms, known)


def _whole_years(first_ms: int, last_ms: int) -> tuple[int, int]:
    """Return the years that a span touches, so that files of the same years load sessions once."""
    years = np.array([first_ms, last_ms], "datetime64[ms]").astype("datetime64[Y]")
    years[1] += 1
    first, after = years.astype("datetime64[ms]").astype(np.int64).tolist()
    return first, after - DAY_MS


def _apart(found: Int, due: Int) -> float:
    """Return the share of candles that are not due, and of those that are due and not there."""
    return float(np.isin(found, due, invert=True).mean() + np.isin(due, found, invert=True).mean())


def _outside(opened_ms: Int, known: Sessions, interval: Interval) -> float:
    at = np.searchsorted(known.close_ms, opened_ms, side="right")
    within = np.minimum(at, len(known.open_ms) - 1)
    ends = interval.ends_ms(opened_ms)
    return float(1.0 - ((at < len(known.open_ms)) & (known.open_ms[within] < ends)).mean())


def _without(opened_ms: Int, known: Sessions) -> float:
    first = np.searchsorted(opened_ms, known.open_ms)
    last = np.searchsorted(opened_ms, known.close_ms)
    return float((first == last).mean())

"""Give daily and longer candles the date of their session, however their file stamps them.

Mela's days open at 00:00 UTC of the session's date, weeks on Monday, months on their first day.
Files have local midnights, the session's opening, the first session of a week, or the last one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mela.calendars import Sessions, floor_ms, sessions_of_span
from mela.errors import CandlesInvalid
from mela.interval import DAY_MS, HOUR_MS, Interval
from sources.files.market import Hours, local_ms
from sources.files.table import Int

# zones of exchanges and brokers: one of each offset and rule of daylight saving
ZONES = (
    *("America/New_York", "Europe/Paris", "Europe/London", "America/Chicago", "Asia/Tokyo"),
    *("Asia/Hong_Kong", "Asia/Kolkata", "Europe/Helsinki", "Europe/Istanbul", "Australia/Sydney"),
    *("Africa/Johannesburg", "America/Los_Angeles", "America/Sao_Paulo", "Asia/Dubai"),
    *("Asia/Jerusalem", "Asia/Bangkok", "Asia/Karachi", "Pacific/Auckland", "Australia/Brisbane"),
)
CALENDARS = (
    "XNYS",
    "XLON",
    "XETR",
    "XTKS",
    "XHKG",
    "XTSE",
    "XASX",
    "XBOM",
)  # whose openings are known
CURRENCY_ZONE, CURRENCY_DAY_MS = "America/New_York", 17 * HOUR_MS  # a day of currencies begins
FRIDAY, SATURDAY, SUNDAY = 4, 5, 6
MOSTLY = 0.9  # of dates are sessions, holidays of another exchange aside
NOON_MS = 12 * HOUR_MS
EARLIER_MS = 4 * HOUR_MS  # so much before its usual hour a session may close

Dated = tuple[Int, str | None]


def dates_of(
    instants: Int, zones: tuple[str, ...], file: str, interval: Interval, hours: Hours
) -> Dated:
    """Return the date that each instant stands for, in milliseconds, and how it was found.

    zones: those that the user or the file names, looked at first
    hours: of the market; the days of one without nights open at 00:00 UTC, unless a zone is named
    Raises CandlesInvalid where the instants are the beginnings of days nowhere that is known.
    """
    if (instants % DAY_MS == 0).all():
        return instants, None
    own = (hours.timezone,) if hours.timezone else ()
    named = (*zones, *own)
    found = _midnights(instants, named, None)
    if found is None and not hours.around_the_clock:
        found = _of_a_market(instants, interval, hours)
    if found is None:
        found = _of_a_clock(instants, named)
    local = local_ms(instants, CURRENCY_ZONE)
    if found is None and not hours.around_the_clock and (local % DAY_MS == CURRENCY_DAY_MS).all():
        dates = local - CURRENCY_DAY_MS + DAY_MS
        return dates, "opens at 17:00 in New York, as days of currencies do; each has its date"
    if found is not None:
        return found
    stamps = " and ".join(f"{np.datetime64(int(ms), 'ms')}Z" for ms in instants[:2])
    where = (
        "in UTC, as its market has no nights" if hours.around_the_clock else "where it is traded"
    )
    raise CandlesInvalid(
        f"{file}: expected candles of a day and longer to open at midnight, {where}, but they open "
        f"at {stamps}. Say where midnight is, as with --timezone Europe/Paris, or give dates."
    )


def _midnights(instants: Int, zones: Sequence[str], hours: Hours | None) -> Dated | None:
    """Return the dates of the first zone where all instants are midnights.

    hours: of the market whose days the dates must be, where the zones are only guessed
    """
    for zone in zones:
        local = local_ms(instants, zone)
        if (local % DAY_MS == 0).all() and (hours is None or _are_days_of(local, hours)):
            return local, f"opens at midnight in {zone}; each candle has its date there"
    return None


def _are_days_of(dates: Int, hours: Hours) -> bool:
    """Tell whether a market can have these days: closes in New York are midnights in Istanbul."""
    if hours.calendar is not None:
        return bool(
            np.isin(dates, _sessions_around(dates, hours.calendar).date_ms).mean() >= MOSTLY
        )
    return bool((_weekdays(dates) == SATURDAY).mean() <= 1 - MOSTLY)


def _of_a_market(instants: Int, interval: Interval, hours: Hours) -> Dated | None:
    """Return the dates by the zones and sessions of exchanges; of the market's own, if known.

    A week or a month shows too few days to tell a foreign midnight from a session's close.
    """
    if hours.calendar is None or interval is Interval.D1:
        found = _midnights(instants, ZONES, hours)
        if found is not None:
            return found
    for calendar in (hours.calendar,) if hours.calendar else CALENDARS:
        known = _sessions_around(instants, calendar)
        for moments, which in ((known.open_ms, "opens"), (known.close_ms, "closes")):
            if not len(moments):
                continue
            at = np.minimum(np.searchsorted(moments, instants), len(moments) - 1)
            if (moments[at] == instants).all():
                note = f"{which} with the sessions of {calendar}; each candle has its date"
                return known.date_ms[at], note
    return None


def _sessions_around(ms: Int, calendar: str) -> Sessions:
    return sessions_of_span(calendar, int(ms.min()) - DAY_MS, int(ms.max()) + DAY_MS)


def _of_a_clock(instants: Int, zones: Sequence[str]) -> Dated | None:
    """Return the dates of candles that have about one time of day in a zone.

    Before noon they open then. Later they may close, or open the evening before, as futures do: the
    days of the week tell.
    """
    for zone in zones:
        local = local_ms(instants, zone)
        clock = local % DAY_MS
        dates, weekdays = local - clock, _weekdays(local)
        if clock.min() == clock.max() <= NOON_MS:
            return dates, f"opens at one time of day in {zone}; each candle has its date there"
        has_friday, has_sunday = (weekdays == FRIDAY).any(), (weekdays == SUNDAY).any()
        if clock.min() < NOON_MS or has_friday == has_sunday:
            continue
        if has_sunday and clock.min() == clock.max():
            note = f"opens in the evening in {zone}; each candle has the date of the day after"
            return dates + DAY_MS, note
        if has_friday and clock.max() - clock.min() <= EARLIER_MS:
            return dates, f"closes in the afternoon in {zone}; each candle has its date there"
    return None


def _weekdays(ms: Int) -> Int:
    return (ms // DAY_MS + 3) % 7  # 1970-01-01 was a Thursday, 3


def aligned(dates: Int, interval: Interval, file: str) -> tuple[Int, str | None]:
    """Return when the candles open whose dates a file has, and what was done to find it.

    A week may have the date of its first session or of its last, if that is a Friday; so may a
    month. Raises CandlesInvalid for dates that would leave open which week or month is meant.
    """
    opened = floor_ms(interval, dates)
    days = (dates - opened) // DAY_MS
    if interval is Interval.D1 or not days.any():
        return opened, None
    if interval is Interval.D3:
        raise CandlesInvalid(
            f"{file}: expected 3d candles to open every third day since 1970-01-01, but one "
            f"opens on {_date(dates, int(np.argmax(days != 0)))}. Give daily candles."
        )
    long = interval is Interval.MO1
    first, last = (days <= 4, days >= 24) if long else (days <= 1, days == FRIDAY)
    for fits, which in ((first, "first"), (last, "last")):
        if fits.mean() > 0.8 and (fits if long else days <= FRIDAY).all():
            return opened, (
                f"has the {which} session of each {'month' if long else 'week'} as its date; the "
                f"{'first day' if long else 'Monday'} is taken"
            )
    row = int(np.argmax(days != 0))
    raise CandlesInvalid(
        f"{file}: expected {interval} candles to open on "
        f"{'the first day of the month' if long else 'Monday'}, but one has the date "
        f"{_date(dates, row)}. Give daily candles, or weeks and months of the calendar."
    )


def _date(dates: Int, row: int) -> str:
    return str(np.datetime64(int(dates[row]), "ms").astype("datetime64[D]"))

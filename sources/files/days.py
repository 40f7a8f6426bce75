"""Give daily and longer candles the date of their session, however their file stamps them.

Mela's days open at 00:00 UTC of the session's date, weeks on Monday, months on their first day.
Files have local midnights, the session's opening, the first session of a week, or the last one.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mela.calendars import floor_ms, sessions
from mela.errors import CandlesInvalid
from mela.interval import DAY_MS, HOUR_MS, Interval
from sources.files.arrow import pc
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
FRIDAY = 4


def dates_of(
    instants: Int, zones: tuple[str, ...], file: str, *, around_the_clock: bool
) -> tuple[Int, str | None]:
    """Return the date that each instant stands for, in milliseconds, and how it was found.

    zones: those that the user or the file names, looked at first
    around_the_clock: whether the market has no nights: its days open at 00:00 UTC, unless a zone
        is named
    Raises CandlesInvalid where the instants are the beginnings of days nowhere that is known.
    """
    if (instants % DAY_MS == 0).all():
        return instants, None
    for zone in zones if around_the_clock else (*zones, *ZONES):
        local = _local_ms(instants, zone)
        if (local % DAY_MS == 0).all():
            return local, f"opens at midnight in {zone}; each candle has its date there"
    if not around_the_clock:
        for calendar in CALENDARS:
            opened = _opening_sessions(instants, calendar)
            if opened is not None:
                return opened, f"opens with the sessions of {calendar}; each candle has its date"
    for zone in zones:
        local = _local_ms(instants, zone)
        clock = local % DAY_MS
        if clock.min() == clock.max() <= 12 * HOUR_MS:
            return local - clock, f"opens at one time of day in {zone}; each candle has its date"
    local = _local_ms(instants, CURRENCY_ZONE)
    if not around_the_clock and (local % DAY_MS == CURRENCY_DAY_MS).all():
        dates = local - CURRENCY_DAY_MS + DAY_MS
        return dates, "opens at 17:00 in New York, as days of currencies do; each has its date"
    stamps = " and ".join(f"{np.datetime64(int(ms), 'ms')}Z" for ms in instants[:2])
    where = "in UTC, as its market has no nights" if around_the_clock else "where it is traded"
    raise CandlesInvalid(
        f"{file}: expected candles of a day and longer to open at midnight, {where}, but they open "
        f"at {stamps}. Say where midnight is, as with --timezone Europe/Paris."
    )


def _local_ms(instants: Int, zone: str) -> Int:
    """Return what a zone's clocks show at each instant: (n,) int64, milliseconds since 1970."""
    shown = pc.local_timestamp(pa.array(instants, pa.timestamp("ms", zone)))
    return pc.cast(shown, pa.int64()).to_numpy()


def _opening_sessions(instants: Int, calendar: str) -> Int | None:
    """Return the dates of the sessions that open at the instants, if all do."""
    known = sessions(calendar)
    at = np.searchsorted(known.open_ms, instants)
    within = np.minimum(at, len(known.open_ms) - 1)
    return known.date_ms[within] if (known.open_ms[within] == instants).all() else None


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

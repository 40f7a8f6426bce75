"""When a file's candles open in UTC, once it is known what its times mean."""

from __future__ import annotations

import numpy as np

from mela.errors import CandlesInvalid
from mela.interval import DAY_MS, MINUTE_MS, Interval
from sources.files.days import aligned, dates_of
from sources.files.market import Hours
from sources.files.spacing import check_no_shorter, check_spacing
from sources.files.table import Int, Table
from sources.files.times import TimeKind, Times, instants_in

FIRST_MS, LAST_MS = -2_208_988_800_000, 7_258_118_400_000  # 1900 and 2200


def opened_ms_of(
    table: Table,
    times: Times,
    interval: Interval,
    timezone: str | None,
    notes: list[str],
    hours: Hours,
) -> Int:
    """Return when candles open: (n,) int64, UTC milliseconds.

    times: of rows in the order of time
    timezone: what the user says about times without a zone
    hours: of the market; where it has no nights, midnight alone does not make a date
    Raises CandlesInvalid for times that leave open where on earth they are, or that are too close.
    """
    outside = np.flatnonzero((times.ms < FIRST_MS) | (times.ms > LAST_MS))
    if len(outside):
        at = np.datetime64(int(times.ms[outside[0]]), "ms")
        raise CandlesInvalid(
            f"{table.name}: expected times between 1900 and 2200, but one reads as {at}. "
            "Is another column the time? Name it with --columns open_time=NAME."
        )
    if interval.is_intraday:
        return _instants(table, times, interval, timezone)
    check_no_shorter(times.ms, interval, table.name)
    dates, how = _dates(table, times, interval, timezone, hours)
    opened_ms, moved = aligned(dates, interval, table.name)
    notes += [f"{table.name} {note}." for note in (how, moved) if note]
    return opened_ms


def _instants(table: Table, times: Times, interval: Interval, timezone: str | None) -> Int:
    if times.kind is TimeKind.DATES:
        raise CandlesInvalid(
            f"expected {interval} candles, but {table.name} has dates without a time of day. "
            "Ask for interval: 1d, or name the column of the time with --columns open_time=NAME."
        )
    instants = times.ms
    if times.kind is TimeKind.TIMES:
        if timezone is None:
            if (np.diff(instants) > 0).all():
                check_spacing(instants, interval, table.name)
            raise _no_zone(table, times)
        instants = instants_in(timezone, times, table)
    split = np.flatnonzero(instants % MINUTE_MS)
    if len(split):
        raise CandlesInvalid(
            f"{table.name}: expected candles to open on whole minutes, but one opens at "
            f"{np.datetime64(int(instants[split[0]]), 'ms')}Z. Is it when they close? Name the "
            "column of their opening with --columns open_time=NAME."
        )
    return instants


def _dates(
    table: Table, times: Times, interval: Interval, timezone: str | None, hours: Hours
) -> tuple[Int, str | None]:
    if times.kind is TimeKind.DATES:
        return times.ms, None
    if times.kind is TimeKind.INSTANTS:
        zones = tuple(zone for zone in (timezone, times.zone) if zone)
        return dates_of(times.ms, zones, table.name, interval, hours)
    is_midnight = bool((times.ms % DAY_MS == 0).all())
    if is_midnight and (timezone is not None or not hours.around_the_clock):
        return times.ms, None
    if timezone is None:
        raise _no_zone(table, times)
    instants = instants_in(timezone, times, table)
    return dates_of(instants, (timezone,), table.name, interval, hours)


def _no_zone(table: Table, times: Times) -> CandlesInvalid:
    first = np.datetime64(int(times.ms[0]), "ms")
    return CandlesInvalid(
        f"{table.name}: expected times with a zone, but found {first} without one. "
        "Say where its clock stands, as with --timezone UTC or --timezone America/New_York."
    )

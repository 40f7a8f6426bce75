"""When a file's candles open: instants, times that lack a zone, or dates."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa

from mela.errors import CandlesInvalid
from mela.interval import DAY_MS, HOUR_MS
from sources.files.arrow import pc
from sources.files.table import Float, Int, Table
from sources.files.text_times import read_text

_IN_UTC = re.compile(r"(gmt|utc)(?!\s*[+-]?\s*\d)")  # `Gmt time`, but not `Time (UTC-5)`


class TimeKind(StrEnum):
    """The time zone that a column of times states."""

    INSTANTS = "instants"  # with a zone, or counted from 1970 in UTC
    TIMES = "times without a zone"
    DATES = "dates"


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """When candles open, as far as the file says.

    ms: (n,) int64, milliseconds since 1970, of instants in UTC, else on the clock that is unknown
    zone: the zone that the column names, for the dates of daily candles
    order: the row of each, once they are `rising`
    """

    ms: Int
    kind: TimeKind
    zone: str | None = None
    order: Int = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def rising(self) -> Times:
        """Return the times in their order; `order` says which row each is."""
        count = np.arange(len(self.ms), dtype=np.int64)
        if len(self.ms) and self.ms[0] > self.ms[-1]:  # newest first: an hour shown twice, too
            count = count[::-1]
        steps = np.diff(self.ms[count])
        if (steps < -HOUR_MS).any() or (self.kind is not TimeKind.TIMES and (steps < 0).any()):
            count = count[np.argsort(self.ms[count], kind="stable")]
        return replace(self, ms=self.ms[count], order=count)


def times_of(table: Table, name: str, clock: str | None) -> Times:
    """Return the times of a column, with the time of day out of another where `clock` names one.

    Raises CandlesInvalid naming the row of what is no time.
    """
    column = table[name]
    if clock is not None:
        column = _joined(column, table[clock])
    row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False))) if len(column) else 0
    if column.null_count:
        raise CandlesInvalid(
            f"{table.name}: expected a time in column {name!r}, but {table.place(row)} has none"
        )
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _of_timestamps(column)
    if pa.types.is_date(kind):
        days = pc.cast(pc.cast(column, pa.date32()), pa.int32()).to_numpy().astype(np.int64)
        return Times(days * DAY_MS, TimeKind.DATES)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _of_numbers(table, name, column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _of_text(table, name, column)
    raise CandlesInvalid(
        f"{table.name}: expected times in column {name!r}, but it holds {kind}. "
        "Write timestamps or dates."
    )


def _joined(dates: pa.Array, clock: pa.Array) -> pa.Array:
    texts = [
        column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
        for column in (dates, clock)
    ]
    return pc.binary_join_element_wise(*texts, " ")


def _of_timestamps(column: pa.Array) -> Times:
    zone = column.type.tz
    ms = pc.cast(pc.cast(column, pa.timestamp("ms", zone), safe=False), pa.int64()).to_numpy()
    if zone is None:
        return Times(ms, TimeKind.TIMES)
    return Times(ms, TimeKind.INSTANTS, zone if _is_place(zone) else None)


def _is_place(zone: str) -> bool:
    """Tell whether a zone is a place's: one that can have midnights other than UTC's."""
    try:
        ZoneInfo(zone)
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return False
    return zone not in ("UTC", "Etc/UTC", "GMT")


def _of_text(table: Table, name: str, column: pa.Array) -> Times:
    text = pc.utf8_trim_whitespace(column)
    if pc.all(pc.match_substring_regex(text, r"^-?\d+(\.\d*)?([eE]\+?\d+)?$")).as_py():
        if pc.all(pc.match_substring_regex(text, r"^-?(\d{1,18}|[1-8]\d{18})$")).as_py():
            return _of_numbers(table, name, pc.cast(text, pa.int64()))
        return _of_numbers(table, name, pc.cast(text, pa.float64()))
    ms, zoned, dated = read_text(table, name, text)
    if zoned or _IN_UTC.search(name.lower()):
        return Times(ms, TimeKind.INSTANTS)
    return Times(ms, TimeKind.DATES if dated else TimeKind.TIMES)


def _of_numbers(table: Table, name: str, column: pa.Array) -> Times:
    """Return times out of numbers: since 1970 in s, ms, µs or ns, or a date as 20240131."""
    values = column.to_numpy(zero_copy_only=False)
    if len(values) == 0:
        return Times(np.zeros(0, dtype=np.int64), TimeKind.INSTANTS)
    whole = values.astype(np.int64) if values.dtype.kind != "f" else _whole(values)
    for digits, unit in ((8, DAY_MS), (12, 60_000), (14, 1000)):
        if ((whole >= 19 * 10 ** (digits - 2)) & (whole < 22 * 10 ** (digits - 2))).all():
            text = pc.cast(pa.array(whole), pa.string())
            ms, _, _ = read_text(table, name, text)
            return Times(ms, TimeKind.DATES if unit == DAY_MS else TimeKind.TIMES)
    size = np.abs(values.astype(np.float64))
    fits = (size < 1e19 / 2) & ((size >= 1e8) | (values == np.floor(values)))  # Excel has fractions
    if (size < 1e8).all() or not fits.all():
        row = int(np.argmin(fits))
        raise CandlesInvalid(
            f"{table.name}: expected a time in column {name!r}, counted since 1970 in s, ms, µs or "
            f"ns, or a date as 20240131, but {table.place(row)} has {values[row]}"
        )
    factors = _factors(size)
    if values.dtype.kind == "f":
        ms = np.round(values * factors).astype(np.int64)
    else:
        divisors = np.select([factors == 1e-3, factors == 1e-6], [1000, 1_000_000], 1)
        ms = np.where(factors == 1000.0, whole * 1000, whole // divisors)
    return Times(ms, TimeKind.INSTANTS)


def _factors(size: Float) -> Float:
    """Return the milliseconds that each number counts by, (n,) float64, told by its size.

    1973 in seconds has 9 digits, in milliseconds 12; a file may change its unit on the way. Where
    that would turn the order of the rows, they have one unit and begin before 1973.
    """
    units = [1000.0, 1.0, 1e-3]
    factors = np.select([size < 1e11, size < 1e14, size < 1e17], units, 1e-6)
    steps, milliseconds = np.diff(size), np.diff(size * factors)
    if (size < 1e8).any() or (steps * milliseconds < 0).any():
        return np.full(len(size), factors.min())
    return factors


def _whole(values: Float) -> Int:
    fits = (values == np.floor(values)) & (np.abs(values) < 1e19 / 2)
    return np.where(fits, values, -1.0).astype(np.int64)


def instants_in(zone: str, times: Times, table: Table) -> Int:
    """Return times without a zone as instants: (n,) int64, UTC milliseconds.

    An hour that the clocks show twice is its first one, unless the row before says that this has
    passed. Raises CandlesInvalid for a time that the clocks never show.
    """
    local = pa.array(times.ms, pa.timestamp("ms"))
    early = _assumed(local, zone, "earliest")
    late = _assumed(local, zone, "latest")
    back = _assumed(local, zone, "earliest", nonexistent="earliest")
    shown = pc.cast(pc.local_timestamp(pa.array(back, pa.timestamp("ms", zone))), pa.int64())
    skipped = np.flatnonzero(shown.to_numpy() != times.ms)
    if len(skipped):
        row = int(skipped[0])
        raise CandlesInvalid(
            f"{table.name}: {table.place(row)} opens at {np.datetime64(int(times.ms[row]), 'ms')}, "
            f"which the clocks of {zone} skip. Is --timezone another?"
        )
    for row in np.flatnonzero(early != late):
        if row and early[row] <= early[row - 1]:
            early[row] = late[row]
    return early


def _assumed(local: pa.Array, zone: str, ambiguous: str, nonexistent: str = "latest") -> Int:
    assumed = pc.assume_timezone(local, zone, ambiguous=ambiguous, nonexistent=nonexistent)
    return pc.cast(assumed, pa.int64()).to_numpy().copy()

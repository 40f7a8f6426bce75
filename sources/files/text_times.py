"""Times and dates out of text, in the forms that files have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mela.errors import CandlesInvalid
from mela.interval import DAY_MS, HOUR_MS, MINUTE_MS
from sources.files.arrow import pc
from sources.files.table import Int, Table

_CLOCK = (
    r"(?:[T\s,]*(?P<hour>\d{1,2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?P<part>[.,]\d+)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
)
_ZONE = r"\s*(?P<zone>Z|z|UTC|GMT)?(?P<offset>[+-]\d{2}:?(?:\d{2})?)?\s*$"
_DATES = (
    r"^(?P<year>\d{4})[-./](?P<month>\d{1,2})[-./](?P<day>\d{1,2})",
    r"^(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
    r"^(?P<one>\d{1,2})(?P<sign>[-./])(?P<two>\d{1,2})[-./](?P<year>\d{4})",
    r"^(?P<day>\d{1,2})[-\s](?P<word>[A-Za-z]{3})[a-z]*\.?[-\s,]+(?P<year>\d{4})",
    r"^(?P<word>[A-Za-z]{3})[a-z]*\.?\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4})",
    r"^[A-Z][a-z]{2},?\s+(?P<day>\d{1,2})\s+(?P<word>[A-Za-z]{3})[a-z]*\s+(?P<year>\d{4})",
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_EXAMPLES = "2024-01-31, 2024-01-31T09:30:00Z or 31.01.2024 09:30"

Parts = dict[str, Any]


def read_text(table: Table, name: str, text: pa.Array) -> tuple[Int, bool, bool]:
    """Return milliseconds since 1970, whether all have a zone, and whether all are dates alone.

    text: not null. Raises CandlesInvalid naming the row that the form of the others does not fit.
    """
    if len(text) == 0:
        return np.zeros(0, dtype=np.int64), True, True
    parts = _parts(table, name, text)
    ms = _days(table, name, text, parts) * DAY_MS + _clock_ms(table, name, text, parts)
    has_zone = _there(parts["zone"]) | _there(parts["offset"])
    if has_zone.any() and not has_zone.all():
        row = int(np.argmin(has_zone))
        raise _unread(table, name, text, row, "a time with a zone, as the others have")
    dated = bool((~_there(parts["hour"])).all())
    return ms - _offset_ms(parts["offset"]), bool(has_zone.all()), dated


def _parts(table: Table, name: str, text: pa.Array) -> Parts:
    """Return the parts of each text, by the first form that fits most of them."""
    best: pa.Array | None = None
    for date in _DATES:
        found = pc.extract_regex(text, date + _CLOCK + _ZONE)
        if best is None or found.null_count < best.null_count:
            best = found
        if found.null_count == 0:
            break
    assert best is not None  # noqa: S101 - there are forms
    if best.null_count:
        missed = np.flatnonzero(best.is_null().to_numpy(zero_copy_only=False))
        raise _unread(table, name, text, int(missed[0]), f"a time as {_EXAMPLES}")
    return {best.type.field(at).name: best.field(at) for at in range(best.type.num_fields)}


def _unread(table: Table, name: str, text: pa.Array, row: int, expected: str) -> CandlesInvalid:
    return CandlesInvalid(
        f"{table.name}: expected {expected} in column {name!r}, but {table.place(row)} has "
        f"{text[row].as_py()!r}"
    )


def _there(part: pa.Array) -> NDArray[np.bool_]:
    return pc.greater(pc.utf8_length(part), 0).to_numpy(zero_copy_only=False)


def _int(part: pa.Array) -> Int:
    filled = pc.if_else(pc.equal(part, ""), "0", part)
    return pc.cast(filled, pa.int64()).to_numpy(zero_copy_only=False)


def _days(table: Table, name: str, text: pa.Array, parts: Parts) -> Int:
    year = _int(parts["year"])
    if "word" in parts:
        words = pc.index_in(pc.utf8_lower(parts["word"]), pa.array(_MONTHS))
        month = pc.fill_null(words, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
        day = _int(parts["day"])
    elif "one" in parts:
        day, month = _in_order(table, text, parts)
    else:
        month, day = _int(parts["month"]), _int(parts["day"])
    valid = (month >= 1) & (month <= 12) & (day >= 1)
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    wrong = np.flatnonzero(~valid | (first + day > following))
    if len(wrong):
        raise _unread(table, name, text, int(wrong[0]), "a date that is in the calendar")
    return first + day - 1


def _in_order(table: Table, text: pa.Array, parts: Parts) -> tuple[Int, Int]:
    """Return day and month of 31/01/2024 or 01/31/2024: all dates of a file tell which it is."""
    one, two = _int(parts["one"]), _int(parts["two"])
    if (one > 12).any() or parts["sign"][0].as_py() == ".":
        return one, two
    if (two > 12).any():
        return two, one
    raise CandlesInvalid(
        f"{table.name}: {text[0].as_py()!r} can be in two months, and no date of the file tells "
        "which. Write dates as 2024-01-31."
    )


def _clock_ms(table: Table, name: str, text: pa.Array, parts: Parts) -> Int:
    hour, minute, second = (_int(parts[part]) for part in ("hour", "minute", "second"))
    half = pc.utf8_lower(pc.utf8_slice_codeunits(parts["half"], 0, 1))
    is_half = _there(half)
    wrong = np.flatnonzero((hour > 23) | (minute > 59) | (second > 59) | is_half & (hour > 12))
    if len(wrong):
        raise _unread(table, name, text, int(wrong[0]), "a time of day from 00:00 to 23:59")
    afternoon = pc.equal(half, "p").to_numpy(zero_copy_only=False)
    hour = np.where(is_half, hour % 12 + 12 * afternoon, hour)
    part = pc.utf8_slice_codeunits(pc.utf8_rpad(parts["part"], 4, "0"), 1, 4)
    ms = _int(pc.if_else(_empty(parts["part"]), "0", part))
    return hour * HOUR_MS + minute * MINUTE_MS + second * 1000 + ms


def _empty(part: pa.Array) -> pa.Array:
    return pc.equal(part, "")


def _offset_ms(offset: pa.Array) -> Int:
    """Return how far a clock is ahead of UTC: +01:00, +0100 or +01; 0 where it says nothing."""
    digits = pc.utf8_rpad(pc.replace_substring_regex(offset, r"[+:-]", ""), 4, "0")
    hour = _int(pc.utf8_slice_codeunits(digits, 0, 2))
    minute = _int(pc.utf8_slice_codeunits(digits, 2, 4))
    ahead = hour * HOUR_MS + minute * MINUTE_MS
    return np.where(pc.starts_with(offset, "-").to_numpy(zero_copy_only=False), -ahead, ahead)

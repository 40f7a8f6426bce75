"""Numbers out of a column, whether the file has them as numbers or as text."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from mela.errors import CandlesInvalid
from sources.files.arrow import pc
from sources.files.table import Float, Table

_PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_GROUPS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
_NO_GROUP = re.compile(r"\.(\d{1,2}|\d{4,})$")  # decimals, as thousands come in threes
_POINTS = r"^[^.]*$|^[^\d]*\d{1,3}(\.\d{3})+(,.*|[^.,\d]*)$"  # no point, or points of thousands
_SCALES = {"K": 1e3, "M": 1e6, "B": 1e9}


def numbers_of(table: Table, name: str, mark: str) -> Float:
    """Return a column as (n,) float64; NaN where the file has nothing.

    mark: what parts decimals in the file's text, `.` or `,`; see `decimal_mark`
    Raises CandlesInvalid naming the row of a value that is no number.
    """
    column = table[name]
    if not _is_text(column.type):
        if pa.types.is_null(column.type):
            return np.full(len(column), np.nan)
        if not (pa.types.is_integer(column.type) or _is_real(column.type)):
            raise CandlesInvalid(
                f"{table.name}: expected numbers in column {name!r}, but it holds {column.type}"
            )
        return _floats(pc.cast(column, pa.float64(), safe=False))
    text = pc.utf8_trim_whitespace(column)
    if mark == ",":
        _check_points(table, name, text)
        text = pc.replace_substring(pc.replace_substring(text, ".", ""), ",", ".")
    plain = pc.match_substring_regex(text, _PLAIN)
    if not pc.all(plain).as_py() and len(plain):
        text = _without_signs(text)
    unread = pc.invert(pc.fill_null(pc.match_substring_regex(text, _PLAIN), True))
    rows = np.flatnonzero(unread.to_numpy(zero_copy_only=False))
    scaled = np.ones(len(text))
    if len(rows):
        text, scaled = _without_scales(text)
        unread = pc.invert(pc.fill_null(pc.match_substring_regex(text, _PLAIN), True))
        rows = np.flatnonzero(unread.to_numpy(zero_copy_only=False))
    if len(rows):
        row = int(rows[0])
        raise CandlesInvalid(
            f"{table.name}: expected a number in column {name!r}, but {table.place(row)} has "
            f"{column[row].as_py()!r}"
        )
    return _floats(pc.cast(text, pa.float64())) * scaled


def decimal_mark(table: Table, names: list[str]) -> str:
    """Return what parts the decimals of prices, `.` or `,`, where their text leaves no doubt.

    Raises CandlesInvalid where `1,234` could be both a thousand and one and a bit.
    """
    texts: list[str] = []
    for name in names:
        column = table[name]
        if _is_text(column.type):
            with_comma = column.filter(pc.match_substring(column, ","))
            texts += [str(value).strip(" $€£") for value in with_comma[:2_000].to_pylist()]
    if not texts:
        return "."
    if any("." in text for text in texts):
        first = next(text for text in texts if "." in text)
        return "," if first.rindex(",") > first.rindex(".") else "."
    if all(_GROUPS.fullmatch(text) for text in texts):
        if any(text.count(",") > 1 for text in texts) or _has_decimals(table, names):
            return "."
        raise CandlesInvalid(
            f"{table.name}: {texts[0]!r} can be a thousand or have three decimals. "
            "Write decimals with a point, and thousands without a sign."
        )
    return ","


def _has_decimals(table: Table, names: list[str]) -> bool:
    """Tell whether a price has a point that cannot be one of thousands."""
    return any(
        _NO_GROUP.search(str(value))
        for name in names
        for value in (table[name][:2_000].to_pylist() if _is_text(table[name].type) else ())
    )


def _check_points(table: Table, name: str, text: pa.Array) -> None:
    """Refuse a point that parts decimals where commas do: one of the two would be misread."""
    fits = pc.fill_null(pc.match_substring_regex(text, _POINTS), True)
    if not pc.all(fits).as_py():
        row = int(np.argmin(fits.to_numpy(zero_copy_only=False)))
        raise CandlesInvalid(
            f"{table.name}: its prices have decimal commas, but {table.place(row)} has "
            f"{text[row].as_py()!r} in column {name!r}. Write all decimals with a point."
        )


def _floats(column: pa.Array) -> Float:
    return np.ascontiguousarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _without_signs(text: pa.Array) -> pa.Array:
    """Return text without currencies, and without the commas of thousands; nothing as null."""
    bare = pc.replace_substring_regex(text, r"[$€£\s'\x{a0}\x{202f}\x{2009}]", "")
    grouped = pc.match_substring_regex(bare, r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?[KMB]?$")
    bare = pc.if_else(grouped, pc.replace_substring(bare, ",", ""), bare)
    return pc.if_else(pc.match_substring_regex(bare, r"^(|-|null|nan|NaN)$"), None, bare)


def _without_scales(text: pa.Array) -> tuple[pa.Array, Float]:
    """Return text and the factors for it, where it says 1.5K, 2M or 1B."""
    scaled = np.ones(len(text))
    for letter, factor in _SCALES.items():
        ends = pc.fill_null(pc.match_substring_regex(text, rf"\d{letter}$"), False)
        scaled[ends.to_numpy(zero_copy_only=False)] = factor
    return pc.replace_substring_regex(text, r"(\d)[KMB]$", r"\1"), scaled


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_real(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_decimal(kind)

"""Convert numpy arrays to and from COPY's binary format, for rows without nulls.

Source: PostgreSQL documentation, COPY, "Binary Format".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # signature, flags, extension length
TRAILER = b"\xff\xff"
EPOCH_MS = 946_684_800_000  # Postgres counts from 2000-01-01
EPOCH_DAYS = 10_957
NO_TEXT: Mapping[str, int] = {}
NUMBERS = {"float8": ">f8", "timestamptz": ">i8", "date": ">i4", "int4": ">i4", "int8": ">i8"}
CHUNK_ROWS = 16_384  # rows are filled column by column: this many fit the processor's cache


def encode(columns: Mapping[str, Any], types: Mapping[str, str]) -> bytes:
    """Return rows in the format that COPY … FROM STDIN (FORMAT binary) reads.

    columns: name → (n,) values: float8 as float64, timestamptz as UTC milliseconds, date as days
        since 1970; or one value for all rows, which is the only form for texts
    types: name → a key of NUMBERS or `text`, in column order; the first column must be an array
    """
    count = len(columns[next(iter(types))])
    layout = _layout(types, {name: len(columns[name]) for name in types if types[name] == "text"})
    parts = [HEADER]
    for start in range(0, count, CHUNK_ROWS):
        part = slice(start, min(start + CHUNK_ROWS, count))
        rows = np.empty(part.stop - part.start, dtype=layout)
        rows["fields"] = len(types)
        for name, kind in types.items():
            values = columns[name]
            rows[f"{name} bytes"] = layout[name].itemsize
            rows[name] = _from_unix(
                values[part] if isinstance(values, np.ndarray) else values, kind
            )
        parts.append(rows.tobytes())
    return b"".join([*parts, TRAILER])


def decode(content: memoryview, types: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Return the columns of COPY … TO STDOUT (FORMAT binary), in the units of `encode`."""
    body = content[len(HEADER) : -len(TRAILER)]
    rows = np.frombuffer(body, dtype=_layout(types))
    return {name: _to_unix(rows[name], kind) for name, kind in types.items()}


def _layout(types: Mapping[str, str], widths: Mapping[str, int] = NO_TEXT) -> np.dtype[Any]:
    fields = [("fields", ">i2")]
    for name, kind in types.items():
        width = f"S{widths[name]}" if kind == "text" else NUMBERS[kind]
        fields += [(f"{name} bytes", ">i4"), (name, width)]
    return np.dtype(fields)


def _from_unix(values: Any, kind: str) -> Any:
    if kind == "timestamptz":
        return (values - EPOCH_MS) * 1000
    return values - EPOCH_DAYS if kind == "date" else values


def _to_unix(values: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "timestamptz":
        return values.astype(np.int64) // 1000 + EPOCH_MS
    if kind == "date":
        return values.astype(np.int64) + EPOCH_DAYS
    return values.astype(np.float64)

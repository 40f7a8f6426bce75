"""COPY's binary format to and from numpy, for rows in which nothing is null.

Source: PostgreSQL documentation, COPY, "Binary Format".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # signature, flags, length of the extension
TRAILER = b"\xff\xff"
EPOCH_MS = 946_684_800_000  # Postgres counts from 2000-01-01
EPOCH_DAYS = 10_957
NUMBERS = {"float8": ">f8", "timestamptz": ">i8", "date": ">i4"}


def encode(columns: Mapping[str, NDArray[Any]], types: Mapping[str, str]) -> bytes:
    """Return rows as COPY … FROM STDIN (FORMAT binary) takes them.

    columns: name → (n,) values: float8 as float64, timestamptz as UTC milliseconds, date as days
        since 1970
    types: name → a key of NUMBERS, in the order of the columns
    """
    rows = np.empty(len(next(iter(columns.values()))), dtype=_layout(types))
    rows["fields"] = len(types)
    for name, kind in types.items():
        rows[f"{name} bytes"] = rows.dtype[name].itemsize
        rows[name] = _from_unix(columns[name], kind)
    return HEADER + rows.tobytes() + TRAILER


def decode(content: memoryview, types: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Return the columns of COPY … TO STDOUT (FORMAT binary), in the units of `encode`."""
    body = content[len(HEADER) : -len(TRAILER)]
    rows = np.frombuffer(body, dtype=_layout(types))
    return {name: _to_unix(rows[name], kind) for name, kind in types.items()}


def _layout(types: Mapping[str, str]) -> np.dtype[Any]:
    fields = [("fields", ">i2")]
    for name, kind in types.items():
        fields += [(f"{name} bytes", ">i4"), (name, NUMBERS[kind])]
    return np.dtype(fields)


def _from_unix(values: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "timestamptz":
        return (values - EPOCH_MS) * 1000
    return values - EPOCH_DAYS if kind == "date" else values


def _to_unix(values: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "timestamptz":
        return values.astype(np.int64) // 1000 + EPOCH_MS
    if kind == "date":
        return values.astype(np.int64) + EPOCH_DAYS
    return values.astype(np.float64)

"""warehouse/binary.py."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from warehouse.binary import CHUNK_ROWS, HEADER, TRAILER, decode, encode

TYPES = {"opened_at": "timestamptz", "session_on": "date", "close": "float8"}
ROWS = st.lists(
    st.tuples(
        st.integers(-(10**13), 10**13), st.integers(-50_000, 50_000), st.floats(allow_nan=False)
    )
)


@given(ROWS)
def test_what_is_encoded_is_decoded_bit_for_bit(rows: list[tuple[int, int, float]]) -> None:
    columns = {
        name: np.array([row[place] for row in rows], dtype=kind)
        for place, (name, kind) in enumerate(zip(TYPES, ("i8", "i8", "f8"), strict=True))
    }
    found = decode(memoryview(encode(columns, TYPES)), TYPES)
    for name, column in columns.items():
        assert found[name].tobytes() == column.tobytes()


def test_a_row_is_what_the_manual_says() -> None:
    """A count of fields, then each with its length; days are counted from 2000-01-01."""
    row = encode({"on": np.array([10_958])}, {"on": "date"})
    assert row == HEADER + b"\0\1" + b"\0\0\0\4" + b"\0\0\0\1" + TRAILER


def test_one_value_stands_for_all_rows_of_many_chunks() -> None:
    numbers = np.arange(2.5 * CHUNK_ROWS)
    columns = {"close": numbers, "revision": 7, "interval": b"15m"}
    types = {"close": "float8", "revision": "int4", "interval": "text"}
    content = encode(columns, types)
    row = (len(content) - len(HEADER) - len(TRAILER)) / len(numbers)
    assert row == 2 + (4 + 8) + (4 + 4) + (4 + 3)
    second = content[len(HEADER) + int(row) :][: int(row)]
    assert second == struct.pack(">hidiii3s", 3, 8, 1.0, 4, 7, 3, b"15m")
    closes = np.frombuffer(content[len(HEADER) : -len(TRAILER)], f"V6, >f8, V{int(row) - 14}")["f1"]
    assert np.array_equal(closes, numbers)

"""warehouse/binary.py."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from warehouse.binary import HEADER, TRAILER, decode, encode

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

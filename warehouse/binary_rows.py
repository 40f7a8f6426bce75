"""Write rows with nulls and texts of any length in COPY's binary format, from columns.

Source: PostgreSQL documentation, COPY, "Binary Format". `warehouse.binary` is quicker for rows that
have neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from warehouse.binary import HEADER, TRAILER

Bytes = NDArray[np.uint8]
BLOCK_BYTES = 16 * 2**20  # rows are filled as a rectangle, as wide as the widest of them
_NULL = np.frombuffer(np.array(-1, ">i4").tobytes(), np.uint8)


def number_field(values: NDArray[np.generic], kind: str) -> Bytes:
    """Return numbers as fields: (n, 4 + width) uint8. kind: big-endian numpy type, such as >f8."""
    width = np.dtype(kind).itemsize
    return fixed_field(values.astype(kind).view(np.uint8).reshape(len(values), width))


def fixed_field(values: Bytes) -> Bytes:
    """Return values of one width, (n, width) uint8, as fields: (n, 4 + width) uint8."""
    count, width = values.shape
    field = np.empty((count, 4 + width), np.uint8)
    field[:, :4] = np.frombuffer(np.array(width, ">i4").tobytes(), np.uint8)
    field[:, 4:] = values
    return field


def encode_rows(
    fixed: Sequence[Bytes],
    nullable: Sequence[Bytes],
    missing: NDArray[np.bool_],
    varying: Sequence[Sequence[bytes | None]],
) -> bytes:
    """Return rows in the format that COPY … FROM STDIN (FORMAT binary) reads.

    fixed: fields that are never null; nullable: fields that may be null, in this order after them
    missing: (n, len(nullable)) which of those are null
    varying: after them, for each field n values or None for null
    """
    fields = len(fixed) + len(nullable) + len(varying)
    count = len(missing)
    head = np.tile(np.frombuffer(np.array(fields, ">i2").tobytes(), np.uint8), (count, 1))
    solid = np.hstack([head, *fixed, *nullable])
    kept = np.ones(solid.shape, np.bool_)
    start = 2 + sum(one.shape[1] for one in fixed)
    for place, field in enumerate(nullable):
        null, end = missing[:, place], start + field.shape[1]
        solid[null, start : start + 4] = _NULL
        kept[null, start + 4 : end] = False
        start = end
    ends = [b"".join(map(_varying_field, row)) for row in zip(*varying, strict=True)]
    widths = [solid.shape[1] + len(end) for end in ends]
    blocks = [_block(solid[rows], kept[rows], ends[rows]) for rows in _blocks(widths)]
    return b"".join([HEADER, *blocks, TRAILER])


def _varying_field(value: bytes | None) -> bytes:
    if value is None:
        return b"\xff\xff\xff\xff"
    return len(value).to_bytes(4, "big") + value


def _block(solid: Bytes, kept: NDArray[np.bool_], ends: Sequence[bytes]) -> bytes:
    """Return some rows: their solid part without what is not kept, then each row's end."""
    width = max(map(len, ends), default=0)
    padded = np.frombuffer(b"".join(end.ljust(width, b"\0") for end in ends), np.uint8)
    lengths = np.fromiter(map(len, ends), np.int64, len(ends))
    used = np.arange(width) < lengths[:, None]
    rows = np.hstack([solid, padded.reshape(len(ends), width)])
    return rows[np.hstack([kept, used])].tobytes()


def _blocks(widths: Sequence[int]) -> Iterator[slice]:
    """Split rows so that each block, filled to its widest row, stays within BLOCK_BYTES."""
    start = widest = 0
    for row, width in enumerate(widths):
        widest = max(widest, width)
        if row > start and widest * (row + 1 - start) > BLOCK_BYTES:
            yield slice(start, row)
            start, widest = row, width
    if start < len(widths):
        yield slice(start, len(widths))

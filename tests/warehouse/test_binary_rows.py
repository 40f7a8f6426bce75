"""warehouse/binary_rows.py: rows with nulls and texts of any length, read by Postgres itself."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from mela.settings import Settings
from warehouse import binary_rows
from warehouse.binary_rows import encode_rows, fixed_field, number_field
from warehouse.database import copy_in, transaction

pytestmark = pytest.mark.integration
COUNT = 500


@pytest.mark.parametrize("block_bytes", [1, 1_000, binary_rows.BLOCK_BYTES])
def test_postgres_reads_what_was_written(
    warehouse: Settings, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(binary_rows, "BLOCK_BYTES", block_bytes)
    chance = np.random.default_rng(3)
    seq = np.arange(COUNT)
    keys = chance.integers(97, 123, (COUNT, 8), dtype=np.uint8)
    numbers = chance.normal(size=(COUNT, 2)) * 10.0 ** chance.integers(-300, 300, (COUNT, 2))
    numbers[:, 1] = chance.integers(-(2**31), 2**31, COUNT)
    missing = chance.random((COUNT, 2)) < 0.3
    texts = ["é" * int(size) for size in chance.integers(0, 40, COUNT)]
    texts[7] = "wide" * 10_000
    blobs = [None if odd else bytes(range(at % 256)) for at, odd in enumerate(missing[:, 0])]

    content = encode_rows(
        [number_field(seq, ">i4"), fixed_field(keys)],
        [number_field(numbers[:, 0], ">f8"), number_field(numbers[:, 1], ">i4")],
        missing,
        [[one.encode() for one in texts], blobs],
    )
    with transaction(warehouse) as connection:
        connection.execute(
            text(
                "CREATE TEMP TABLE given (seq integer, key text, real double precision,"
                " whole integer, said text, raw bytea) ON COMMIT DROP"
            )
        )
        copy_in(connection, "COPY given FROM STDIN (FORMAT binary)", content)
        found = connection.execute(text("SELECT * FROM given ORDER BY seq")).all()

    assert [tuple(row[:5]) for row in found] == [
        (
            at,
            keys[at].tobytes().decode(),
            None if missing[at, 0] else numbers[at, 0],
            None if missing[at, 1] else int(numbers[at, 1]),
            texts[at],
        )
        for at in range(COUNT)
    ]
    assert [None if row.raw is None else bytes(row.raw) for row in found] == blobs

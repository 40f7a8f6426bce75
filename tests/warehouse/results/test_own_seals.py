"""warehouse/results/own_seals.py: what a seal is taken of, spelled again field by field."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest

from mela.metrics import METRICS, WHOLE
from warehouse.results.own_seals import own_seals

SEEDED = np.random.default_rng(7)
RUN_KEYS, RESULT_KEYS = SEEDED.integers(0, 256, (2, 4, 32), dtype=np.uint8)
NUMBERS = SEEDED.normal(size=(4, len(METRICS)))
NUMBERS[:, [name in WHOLE for name in METRICS]] = 3.0
NUMBERS[1, 4] = np.nan
NUMBERS[2] = np.nan
BLOCKS = (b"\x01" * 384, b"\x02" * 384, None, None)


def by_hand(row: int) -> bytes:
    spelled = RUN_KEYS[row].tobytes() + RESULT_KEYS[row].tobytes()
    metrics = dict(zip(METRICS, NUMBERS[row].tolist(), strict=True))
    for name in sorted(metrics):
        value = metrics[name]
        if value == value:
            number = struct.pack(">i", int(value)) if name in WHOLE else struct.pack(">d", value)
            spelled += name.encode() + b":" + number
    blocks = BLOCKS[row]
    return hashlib.sha256(spelled + (b"" if blocks is None else b"blocks:" + blocks)).digest()


@pytest.mark.parametrize("rows", [slice(0, 4), slice(0, 2), slice(2, 3), slice(1, 4)])
def test_a_seal_is_of_all_that_is_a_results_own(rows: slice) -> None:
    seals = own_seals(RUN_KEYS[rows], RESULT_KEYS[rows], NUMBERS[rows], BLOCKS[rows])
    assert [seal.tobytes() for seal in seals] == [by_hand(row) for row in range(4)[rows]]


def test_no_result_has_no_seal() -> None:
    none = own_seals(RUN_KEYS[:0], RESULT_KEYS[:0], NUMBERS[:0], ())
    assert none.shape == (0, 32)

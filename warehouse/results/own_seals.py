"""The part of a result's seal that is its own: a SHA-256 of its keys, metrics and blocks.

Migration 0023 says what a whole seal is, and compares it. Postgres alone spells the parts that
several results share, as it does again when seals are compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mela.metrics import METRICS, WHOLE

_ORDER = sorted(METRICS)
_PLACES = {name: place for place, name in enumerate(METRICS)}
_KEYS = 64  # bytes of both keys


def own_seals(
    run_keys: NDArray[np.uint8],
    result_keys: NDArray[np.uint8],
    metrics: NDArray[np.float64],
    blocks: Sequence[bytes | None],
) -> NDArray[np.uint8]:
    """Return (n, 32) uint8, the SHA-256 of each of n results.

    It is taken of run_key, result_key, each defined metric in the order of the names, `name:` and
    its number as Postgres sends it, and, where there are any, `blocks:` and the blocks.

    run_keys, result_keys: (n, 32); metrics: (n, len(METRICS)), NaN where undefined
    """
    count = len(run_keys)
    missing = np.isnan(metrics)
    numbers = np.where(missing, 0.0, metrics)
    fields, kept = [run_keys, result_keys], [np.ones((count, _KEYS), np.bool_)]
    for name in _ORDER:
        label = np.frombuffer(f"{name}:".encode(), np.uint8)
        kind = ">i4" if name in WHOLE else ">f8"
        number = numbers[:, _PLACES[name]].astype(kind).view(np.uint8)
        number = number.reshape(count, np.dtype(kind).itemsize)
        field = np.hstack([np.broadcast_to(label, (count, len(label))), number])
        fields.append(field)
        kept.append(np.broadcast_to(~missing[:, [_PLACES[name]]], field.shape))
    is_kept = np.hstack(kept)
    lengths = is_kept.sum(axis=1)
    ends = np.cumsum(lengths)
    rows = memoryview(np.hstack(fields)[is_kept].tobytes())
    seals = bytearray()
    for start, end, block in zip((ends - lengths).tolist(), ends.tolist(), blocks, strict=True):
        seal = hashlib.sha256(rows[start:end])
        if block is not None:
            seal.update(b"blocks:" + block)
        seals += seal.digest()
    return np.frombuffer(bytes(seals), np.uint8).reshape(count, 32)

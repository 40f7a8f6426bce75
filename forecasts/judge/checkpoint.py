"""What a training has done so far: one part for each fold of each model and seed.

A training that ended in between goes on from its parts, and ends with the same model and the same
report. A part is kept under a key of all that it follows from, samples and the code that fits them
included, so that whatever changed meanwhile is computed again.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from forecasts.dataset import Dataset
from mela.canonical import canonical_json, digest
from mela.training import Training

Float = NDArray[np.float64]
ROOM = Path(__file__).parent.parent
LIBRARIES = ("numpy", "scipy", "scikit-learn", "xgboost-cpu", "lightgbm")
_COLUMNS = ("x", "y", "returns", "closed_ms", "until_ms", "instrument")


@dataclass(frozen=True, slots=True)
class FoldScore:
    """How good the forecasts of one fold are; auc and brier NaN where the label is a number.

    ic, rank_ic: against the label, of a class against the return that it stands for
    """

    fold: int
    seed: int
    samples: int
    ic: float
    rank_ic: float
    auc: float
    brier: float


@dataclass(frozen=True, eq=False)
class Part:
    """One fold. forecast: (n,) float64, of its test; importance: (k,) float64, where measured."""

    score: FoldScore
    forecast: Float
    importance: Float | None = None

    def to_bytes(self) -> bytes:
        """Return the part as bytes, of which none is ever executed."""
        arrays = {"score": np.array(astuple(self.score), np.float64), "forecast": self.forecast}
        if self.importance is not None:
            arrays["importance"] = self.importance
        content = io.BytesIO()
        np.savez(content, **arrays)  # pyright: ignore[reportArgumentType]  its stubs mean `allow_pickle`
        return content.getvalue()

    @classmethod
    def of(cls, content: bytes) -> Part:
        """Return the part that `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            fold, seed, samples, *scores = found["score"].tolist()
            score = FoldScore(int(fold), int(seed), int(samples), *scores)
            return cls(score, found["forecast"], found.get("importance"))


class Store(Protocol):
    """Keeps parts by their keys. What it raises ends the training."""

    def find(self, key: str) -> bytes | None:
        """Return a part; None where it is not kept."""
        ...

    def keep(self, key: str, content: bytes) -> None:
        """Keep a part."""
        ...


class InMemory:
    """Keeps nothing beyond this process: no training in it is begun twice."""

    def find(self, key: str) -> bytes | None:  # noqa: ARG002  the protocol's
        """Return None: whoever trains here computes each part once."""
        return None

    def keep(self, key: str, content: bytes) -> None:
        """Let the part go."""


class Checkpoint:
    """The parts of one training."""

    def __init__(self, store: Store, training: Training, dataset: Dataset) -> None:
        """Name what all parts follow from."""
        self._store = store
        facts = training.facts
        self._basis: dict[str, Any] = {
            "samples": _digest_of(dataset),
            "code": _code(),
            **{name: facts[name] for name in ("label", "splits", "preparation")},
        }

    def part(self, asked: dict[str, Any], compute: Callable[[], Part]) -> Part:
        """Return a part: the one that is kept, or a new one, which is kept then.

        asked: JSON values that tell this part from the others of its training
        """
        key = digest(canonical_json({**self._basis, **asked}))
        content = self._store.find(key)
        if content is not None:
            return Part.of(content)
        made = compute()
        self._store.keep(key, made.to_bytes())
        return made


def _digest_of(dataset: Dataset) -> str:
    found = hashlib.sha256()
    for name in _COLUMNS:
        found.update(np.ascontiguousarray(getattr(dataset, name)).data)
    return found.hexdigest()


@cache
def _code() -> str:
    """Return the digest of what turns samples into a part: this room's source, and libraries."""
    found = hashlib.sha256()
    for path in sorted(ROOM.rglob("*.py")):
        found.update(f"{path.relative_to(ROOM)}\0".encode() + path.read_bytes() + b"\0")
    found.update(" ".join(f"{name}=={version(name)}" for name in LIBRARIES).encode())
    return found.hexdigest()

"""What the two sides said, as arrays and documents; nothing is judged here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class DetailedRun:
    """A run that was looked at more closely.

    trades: as documents, in order; opened_ms, equity: (n,) of each candle, None where it failed
    halves: the metrics of the run over the first and the second half of its span alone, each begun
        flat; None where a half has none
    """

    run_key: str
    trades: Sequence[Document]
    halves: Sequence[Document | None]
    opened_ms: NDArray[np.int64] | None = None
    equity: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SceneAnswer:
    """What one side says of a scene.

    documents: the results of its runs, in the order in which they were made
    drawn: all runs of a small scene, of a larger one its best, of a search its winner
    report: of its search, None without one
    error: why there is nothing
    digest: of the numbers
    again: whether each time gave the same numbers
    """

    documents: Sequence[Document] = ()
    drawn: Sequence[DetailedRun] = ()
    report: Document | None = None
    error: str | None = None
    digest: str = ""
    again: bool = True

    @property
    def failure(self) -> str | None:
        """Return why the scene, or the first of its runs that failed, has no numbers."""
        if self.error is not None:
            return self.error
        for one in self.documents:
            if one["error"] is not None:
                return f"{one['error']['class']}: {one['error']['sentence']}"
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One commit: what it is made of, and its answers.

    name, subject: of the commit; environment: which interpreter ran it, in words
    strategies: name → digest; broken: name → why it cannot be loaded
    seconds: scene → (repeats,) each time anew
    """

    name: str
    subject: str
    environment: str
    engine_version: str
    metrics_version: str
    strategies: Mapping[str, str]
    broken: Mapping[str, str]
    answers: Mapping[str, SceneAnswer]
    seconds: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])

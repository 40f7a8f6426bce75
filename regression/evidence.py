"""The answers of both sides, as arrays and documents, without any judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class DetailedRun:
    """A run with its trades and equity.

    trades: documents, in order; opened_ms, equity: (n,) per candle, None if the run failed
    halves: the metrics of the run over each half of its span alone, starting without a position;
        None if a half has none
    """

    run_key: str
    trades: Sequence[Document]
    halves: Sequence[Document | None]
    opened_ms: NDArray[np.int64] | None = None
    equity: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SceneAnswer:
    """One side's answer to a scene.

    documents: the results of its runs, in the order they were made
    drawn: details of all runs of a small scene, of the best run of a larger one, of a search's
        winner
    report: the search's report; None if the scene has no search
    error: the reason if there is no answer
    digest: the digest of the numbers
    again: whether every repetition gave the same numbers
    """

    documents: Sequence[Document] = ()
    drawn: Sequence[DetailedRun] = ()
    report: Document | None = None
    error: str | None = None
    digest: str = ""
    again: bool = True

    @property
    def failure(self) -> str | None:
        """Return why the scene, or the first of its failed runs, has no numbers."""
        if self.error is not None:
            return self.error
        for one in self.documents:
            if one["error"] is not None:
                return f"{one['error']['class']}: {one['error']['sentence']}"
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One commit: its versions and its answers.

    name, subject: the commit's; environment: a description of its interpreter
    strategies: name → digest; broken: name → why it cannot be loaded
    seconds: scene → (repeats,) the time of each repetition
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

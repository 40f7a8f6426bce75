"""The results that one process has made of one scene, as a `SearchStore`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backtests.search.report import Document
from backtests.search.trials import MODELS, Trials, trials_of
from mela.candles import Candles
from mela.outcome import WITH_METRICS
from mela.result import rank
from mela.run import Run
from mela.scene import Scene

SAME_QUESTION = ("instruments", "interval", "start", "end")


class MemoryStore:
    """Results and candles in memory. Other scenes, and openings of holdouts, are unknown.

    documents: the results of the scene's runs, in any order
    series_of: returns the candles of each instrument of a run's account
    """

    is_recorded = False

    def __init__(
        self,
        scene: Scene,
        documents: Sequence[Document],
        series_of: Callable[[Run], Mapping[str, Candles]],
    ) -> None:
        self._documents = [one for one in documents if one["status"] in WITH_METRICS]
        self._ranked = rank(self._documents, scene.ranking)
        self._series_of = series_of

    def best(self) -> Document | None:
        """Return the best result, or None if no run has any metrics."""
        return self._ranked[0] if self._ranked else None

    def best_by_window(self) -> Sequence[Document]:
        """Return all results that have metrics."""
        return self._documents

    def trials(self, winner: Document) -> Trials:
        """Return the scene's own runs as trials."""
        top = [one for one in self._ranked if all(one[key] == winner[key] for key in SAME_QUESTION)]
        return trials_of(self._documents, winner, top[:MODELS])

    def open_holdout(self, winner: Document) -> Mapping[str, Any]:  # noqa: ARG002
        """Say that nobody knows whether the holdout was opened before."""
        return {"reopened": None}

    def series_of(self, run: Run) -> Mapping[str, Candles]:
        """Return the candles of each instrument of a run's account."""
        return self._series_of(run)

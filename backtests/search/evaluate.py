"""The report on a search, the same for the platform and for a scene run in one process.

The two differ in where results, candles and openings of holdouts are kept: a `SearchStore`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from backtests.search import choice
from backtests.search import report as search_report
from backtests.search.report import Document
from backtests.search.trials import Trials
from backtests.strategy import Strategy
from mela.candles import Candles
from mela.run import Run
from mela.scene import Scene
from mela.search_report import HoldoutReport, SearchReport


class SearchStore(Protocol):
    """The results of one scene's search, the candles that they read, and its holdout."""

    @property
    def is_recorded(self) -> bool:
        """Tell whether trials of other scenes count, and openings of a holdout are remembered."""
        ...

    def best(self) -> Document | None:
        """Return the best result of the scene, or None if no run has any metrics."""
        ...

    def best_by_window(self) -> Iterable[Document]:
        """Return results that include the best one of each instrument and training window."""
        ...

    def trials(self, winner: Document) -> Trials:
        """Return all trials known for the question that the winner answers, the winner's too."""
        ...

    def open_holdout(self, winner: Document) -> Mapping[str, Any]:
        """Record that the winner sees its holdout, and return what is known of the opening."""
        ...

    def series_of(self, run: Run) -> Mapping[str, Candles]:
        """Return the candles of each instrument of a run's account."""
        ...


def evaluate_search(
    scene: Scene, store: SearchStore, catalogue: Mapping[str, Strategy]
) -> SearchReport | None:
    """Return the report on a scene's search, or None if it neither searched nor validated."""
    if not (scene.search or scene.validation or scene.holdout):
        return None

    def candles_of(run: Run) -> Candles:
        return store.series_of(run)[run.instrument]

    report = SearchReport(recorded=store.is_recorded)
    best = store.best()
    if best is not None and _was_edited(best, catalogue):
        reason = f"{search_report.CHANGED}. Publish it again under a new id."
        return report.model_copy(update={"reason": reason})
    chosen: Mapping[str, Sequence[Document | None]] = {}
    if scene.validation is not None:
        chosen = choice.chosen_by_window(scene, store.best_by_window())
        walked = search_report.walk_forward(scene, chosen, candles_of, catalogue)
        report = report.model_copy(update={"walk_forward": walked})
    winner = choice.winner_of(scene, best, chosen)
    if winner is None:
        return report.model_copy(update={"reason": "no run of the scene has any metrics"})
    trials = store.trials(winner)
    report = search_report.judged(report, scene, winner, trials, store.series_of, catalogue)
    if scene.holdout is not None:
        opening = store.open_holdout(winner)  # recorded before the winner sees the candles
        unseen = search_report.holdout(scene, winner, candles_of, catalogue)
        report = report.model_copy(update={"holdout": _with_opening(unseen, opening)})
    return report


def _with_opening(unseen: HoldoutReport, opening: Mapping[str, Any]) -> HoldoutReport:
    return HoldoutReport.model_validate({**unseen.document(), **opening})


def _was_edited(result: Document, catalogue: Mapping[str, Strategy]) -> bool:
    name, digest = result["strategy"]["name"], result["strategy"]["digest"]
    return name not in catalogue or catalogue[name].digest != digest

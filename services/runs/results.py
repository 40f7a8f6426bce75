"""The results of a scene, best first, and the report on its search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mela.failures import Failure
from mela.metrics import Ranking
from mela.outcome import WITH_METRICS
from mela.settings import Settings
from services.runs.missing_candles import without_candles
from services.scenes.stored_scenes import accepted_scene, stored_scene
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.retention import pruned
from warehouse.retention.pruned import PrunedScene

Document = dict[str, Any]
MOST_REASONS = 20  # why runs failed, at most


@dataclass(frozen=True, slots=True)
class SceneWarning:
    """A remark on a scene's end."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class SceneResults:
    """The progress of a scene, and its results.

    recorded, cached: how many of its runs are answered, and how many of those from the store
    cancelled: how many are stored as not executed, as the scene was cancelled
    failures: why runs failed, the most frequent reason first
    mlflow_run_id: None until the scene is finished and MLflow has it
    statuses: how many runs ended with each status, the most frequent first
    rows: result documents, best first by `rank_by`, those with fewer than `min_trades` behind
    pruned: which of its results are stored no more; None where all are
    report: on its search, once it is finished; None if it searched and validated nothing
    """

    scene_id: UUID
    name: str | None
    status: str
    runs: int
    skipped: int
    recorded: int
    cached: int
    cancelled: int
    statuses: dict[str, int]
    rank_by: str
    min_trades: int
    rows: tuple[Document, ...]
    report: Document | None
    warnings: tuple[SceneWarning, ...]
    mlflow_run_id: str | None = None
    failures: tuple[Failure, ...] = ()
    pruned: PrunedScene | None = None

    @property
    def is_without_numbers(self) -> bool:
        """Tell whether the scene has ended and not one of its runs has metrics."""
        return self.status == "finished" and WITH_METRICS.isdisjoint(self.statuses)

    @property
    def not_run(self) -> int:
        """Return how many runs have no answer of any kind, so far or for good."""
        return self.runs - self.recorded - self.cancelled

    def why_without_numbers(self) -> list[str]:
        """Return a sentence for each way in which runs ended without metrics, and what helps."""
        return [*(one.summary for one in self.failures), *without_candles(self.rows)]

    @property
    def ranking(self) -> Ranking:
        """Return what ranks the rows."""
        return Ranking(self.rank_by, self.min_trades)


def results_of(scene_id: UUID, settings: Settings, *, top: int | None = None) -> SceneResults:
    """Return a scene's results, at most `top` of them.

    Raises NotFound for an unknown scene, SceneInvalid for one that was rejected.
    """
    with transaction(settings) as connection:
        scene = accepted_scene(connection, scene_id)
        by = scene.ranking
        counted = finder.progress(connection, [str(scene_id)])[0]
        statuses = finder.statuses(connection, scene_id)
        rows = finder.of_scene(connection, scene_id, order_by=by, limit=top)
        failures = finder.failures(connection, scene_id, MOST_REASONS)
        gone = pruned.of_scene(connection, scene_id)
    ending = scene.ending
    warnings = sorted({(one.code, one.sentence) for one in ending.warnings})
    return SceneResults(
        scene_id=scene_id,
        name=scene.name,
        status=scene.status,
        runs=counted.runs,
        skipped=scene.skipped,
        recorded=counted.recorded,
        cached=counted.cached,
        cancelled=counted.cancelled,
        statuses=statuses,
        rank_by=by.metric,
        min_trades=by.min_trades,
        rows=tuple(rows),
        report=ending.report_document(),
        warnings=tuple(SceneWarning(*one) for one in warnings),
        mlflow_run_id=scene.mlflow_run_id,
        failures=tuple(failures),
        pruned=gone,
    )


def result_rows(scene_id: UUID, settings: Settings) -> list[Document]:
    """Return all result documents of a scene, best first; none for a rejected scene.

    Raises NotFound.
    """
    with transaction(settings) as connection:
        scene = stored_scene(connection, scene_id)
        return finder.of_scene(connection, scene_id, order_by=scene.ranking)


def pruned_of(scene_id: UUID, settings: Settings) -> PrunedScene | None:
    """Return what was pruned of a scene's results; None if nothing was."""
    with transaction(settings) as connection:
        return pruned.of_scene(connection, scene_id)


def report_of(scene_id: UUID, settings: Settings) -> Document | None:
    """Return the report on a scene's search, or None if there is none (yet). Raises NotFound."""
    with transaction(settings) as connection:
        scene = stored_scene(connection, scene_id)
    return scene.ending.report_document()

"""The answers of tools: as little as an assistant needs, and where the rest is."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from api.models.answers import Answer
from api.models.data import SeriesRow
from api.models.events import SceneEvent
from api.models.scenes import BestMetrics, SceneDetail
from client.client import Client


class StrategyHead(Answer):
    """A strategy in a list. lookahead: what the last check of its source found."""

    name: str
    summary: str
    params: tuple[str, ...]
    lookahead: str


class StrategyList(Answer):
    """The strategies that a scene can name."""

    strategies: list[StrategyHead]


class CandlesThere(Answer):
    """The series that are stored. gaps: findings of missing candles."""

    series: list[SeriesRow]


class PublishedScene(Answer):
    """A scene that was sent."""

    scene_id: UUID


class Followed(SceneEvent):
    """The progress of a scene. has_ended: false where the time was over first."""

    has_ended: bool
    rejected_because: str | None


class SceneHead(Answer):
    """A scene in a list. best: of `rank_by`; null where no run has it."""

    scene_id: UUID
    name: str | None
    state: str
    owner: str | None
    tags: tuple[str, ...]
    strategies: tuple[str, ...]
    instruments: tuple[str, ...]
    interval: str | None
    start: str | None
    end: str | None
    runs: int
    recorded: int
    failed: int
    rank_by: str
    best: float | None
    best_metrics: BestMetrics | None


class SceneList(Answer):
    """Scenes, the newest first."""

    scenes: list[SceneHead]


class RunFound(Answer):
    """A run. params: what varies in its scene, by path; metrics: those that are defined."""

    rank: int | None
    run_key: str
    instruments: tuple[str, ...]
    interval: str
    start: str
    end: str
    params: dict[str, int | float | str | bool | None]
    status: str
    metrics: dict[str, float]
    warnings: tuple[str, ...] = Field(description="codes: what to know before believing it")
    error: str | None


class ResultsOfScene(Answer):
    """The best runs of a scene.

    warnings: sentences on the whole scene
    proves: what its search proves, in sentences; luck_chance: how probable it is that the best of
        as many tries looks this good by luck
    resources: addresses of what is too large for here
    """

    scene: SceneHead
    warnings: list[str]
    best_runs: list[RunFound]
    proves: tuple[str, ...]
    luck_chance: float | None
    resources: list[str]


def results_of(client: Client, scene_id: str, top: int) -> ResultsOfScene:
    """Return the best runs of a scene, and what its search proves. Raises NotFound."""
    result = client.result(scene_id)
    scene, report = result.scene, result.report
    best = [
        RunFound(
            **{name: getattr(row, name) for name in _SHARED},
            metrics={name: value for name, value in row.metrics.items() if value is not None},
        )
        for row in result.first_rows(top)
    ]
    keys = [one.run_key for one in best[:1]]
    return ResultsOfScene(
        scene=SceneHead.of(scene),
        warnings=[one.message for one in scene.warnings],
        best_runs=best,
        proves=report.words,
        luck_chance=report.luck_chance,
        resources=[
            f"mela://scenes/{scene.scene_id}/runs.csv",
            f"mela://scenes/{scene.scene_id}/report.json",
            *(f"mela://runs/{key}/{file}" for key in keys for file in ("trades.csv", "equity.csv")),
        ],
    )


_SHARED = (
    *("rank", "run_key", "instruments", "interval", "start", "end", "params", "status"),
    *("warnings", "error"),
)


def reason_of(scene: SceneDetail) -> str | None:
    """Return why a scene was rejected; None if it was not."""
    why = scene.rejection
    if why is None:
        return None
    return (
        f"[{why.code}] {why.field}: {why.message}" if why.field else f"[{why.code}] {why.message}"
    )

"""A scene as the warehouse has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from mela.metrics import Ranking
from mela.search_report import SceneEnding
from mela.training import is_training

DEFAULT_RANK_BY = "sharpe"


@dataclass(frozen=True, slots=True)
class StoredScene:
    """A row of ops.scene.

    content: the scene as it was published, {} where a rejected one could not be read
    best: what its end found, as `ending` types it
    partition, offset: None until the planner has read it from Kafka
    """

    scene_id: str
    name: str | None
    content: Mapping[str, Any]
    content_hash: str | None
    status: str
    runs: int
    skipped: int
    cached: int
    topic: str
    partition: int | None
    offset: int | None
    received_at: datetime
    planned_at: datetime | None
    finished_at: datetime | None
    cancelled_at: datetime | None
    rejection_code: str | None
    rejection_field: str | None
    rejection_sentence: str | None
    mlflow_run_id: str | None
    best: Mapping[str, Any]
    user_id: int | None
    rerun_of: str | None

    @property
    def ending(self) -> SceneEnding:
        """Return what the end of the scene found; empty before it."""
        return SceneEnding.model_validate(self.best)

    @property
    def is_training(self) -> bool:
        """Tell whether the scene asks for a training, not for runs."""
        return is_training(self.content)

    @property
    def rank_by(self) -> str:
        """Return the metric that ranks the scene's runs."""
        return self.ranking.metric

    @property
    def ranking(self) -> Ranking:
        """Return what decides which of the scene's runs is best."""
        return ranking_of(self.content)

    @property
    def strategy(self) -> str:
        """Return the name of the scene's strategy."""
        return str(self.content["strategy"]["name"])

    @property
    def updated_at(self) -> datetime:
        """Return when the scene reached its present status."""
        return self.finished_at or self.cancelled_at or self.planned_at or self.received_at


def ranking_of(content: Mapping[str, Any]) -> Ranking:
    """Return what ranks the runs of a scene, by its stored content.

    A rejected scene may hold anything; what is no number of trades asks for none.
    """
    trades = content.get("min_trades")
    min_trades = trades if isinstance(trades, int) and not isinstance(trades, bool) else 0
    return Ranking(str(content.get("rank_by", DEFAULT_RANK_BY)), min_trades)


COLUMNS = ", ".join(
    {
        "scene_id": "scene_id::text",
        "rerun_of": "rerun_of::text",
        "offset": '"offset"',
        "content": "CASE jsonb_typeof(content) WHEN 'object' THEN content ELSE '{}' END AS content",
        "best": "coalesce(best, '{}') AS best",
    }.get(one.name, one.name)
    for one in fields(StoredScene)
)

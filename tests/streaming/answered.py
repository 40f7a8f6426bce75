"""Scenes answered in this process by the queries' own functions, without Kafka and Spark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

import orjson

from backtests.simulate import provenance
from mela.grid import plan_runs
from mela.messages import MessagePosition, RunChunk
from mela.result_columns import ResultColumns
from mela.scene import parse_scene
from mela.settings import Settings
from services.scenes.publish import announce
from streaming import strategies
from streaming.run import Desk
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import records as scenes


def documents_of(answers: Iterable[ResultColumns]) -> list[dict[str, Any]]:
    """Return results as documents, in their order."""
    return [orjson.loads(one.body) for results in answers for one in results.documents()]


def answered(document: Mapping[str, Any], settings: Settings, *, user: str | None = None) -> str:
    """Plan, run and record a scene; return its id. Its candles are in the warehouse."""
    scene = parse_scene({"schema_version": 1, **document, "scene_id": str(uuid4())})
    scene_id, catalogue = str(scene.scene_id), strategies.current(settings)
    plan = plan_runs(scene, catalogue, max_runs=settings.max_runs)
    if user is not None:
        announce(scene, plan, user, settings)
    with transaction(settings) as connection:
        scenes.receive(
            connection,
            scene_id,
            scene.content(),
            scene.content_hash(),
            runs=plan.runs,
            skipped=plan.skipped,
            name=scene.name,
            origin=MessagePosition("mela.scenes", 0, 0),
        )
        scenes.set_planned(connection, scene_id, cached=0)
    runs = tuple(plan.expand())
    digests = {
        run.strategy: provenance(run.strategy, None, catalogue).strategy_digest for run in runs
    }
    desk = Desk(settings, catalogue.with_failing())
    answers = list(desk.answers(RunChunk(scene_id, 0, runs, digests)))
    with transaction(settings) as connection:
        assert results.save_columns(connection, answers) == []
    return scene_id

"""How a training ends: in the warehouse first, and then told on `mela.progress`.

A process that is killed in between leaves an end that was not told; the trainer tells it then.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog

from mela.search_report import SceneEnding
from mela.settings import Settings
from messaging.publisher import publisher_of
from services.scenes import trainings as asked
from warehouse import trainings
from warehouse.database import transaction
from warehouse.model_versions import StoredVersion
from warehouse.scenes import cards
from warehouse.scenes import records as scenes

log = structlog.get_logger()
MOST = 100  # ends that are told at once
OWNER = "trainer"


def succeeded(scene_id: UUID, version: StoredVersion, settings: Settings) -> None:
    """End a training of which a model came."""
    told: dict[str, Any] = {
        "model": f"models:/{version.name}/{version.version}",
        "sha256": version.sha,
        "aliases": list(version.aliases),
        "verdict": version.verdict,
        "scores": dict(version.scores),
    }
    with transaction(settings) as connection:
        found = trainings.get(connection, scene_id)
        runs = found.runs if found else None
        trainings.end(connection, scene_id, version=version.version, done=runs)
        ending = SceneEnding(training=told).model_dump(mode="json", exclude_unset=True)
        scenes.set_finished(connection, scene_id, ending, version.mlflow_run_id)
        cards.tell(connection, scene_id)
    log.info("training_ended", scene_id=str(scene_id), model=told["model"])


def failed(scene_id: UUID, error: tuple[str, str], settings: Settings) -> None:
    """End a training of which none can come. error: a class and a sentence."""
    told = {"error": error[0], "sentence": error[1]}
    with transaction(settings) as connection:
        trainings.end(connection, scene_id, error=error)
        ending = SceneEnding(training=told).model_dump(mode="json", exclude_unset=True)
        scenes.set_finished(connection, scene_id, ending, None)
        cards.tell(connection, scene_id)
    log.warning("training_failed", scene_id=str(scene_id), error=error[0], sentence=error[1])


def cancelled(scene_id: UUID, settings: Settings) -> None:
    """End a training whose scene was cancelled: the streaming job tells that."""
    with transaction(settings) as connection:
        trainings.end(connection, scene_id)
        trainings.set_told(connection, scene_id)
    log.info("training_cancelled", scene_id=str(scene_id))


def tell(settings: Settings) -> int:
    """Tell the ends that were not told yet; return how many. Raises where a service is away."""
    with transaction(settings) as connection:
        untold = trainings.untold(connection, MOST)
        known = [(trainings.get(connection, one), scenes.get(connection, one)) for one in untold]
    publisher = publisher_of(settings, owner=OWNER)
    for found, scene in known:
        if found is not None and scene is not None:
            publisher.progress(asked.progress(found, scene.updated_at, scene.ending.training))
    if untold:
        publisher.flush()
        with transaction(settings) as connection:
            for one in untold:
                trainings.set_told(connection, one)
    return len(untold)


def say(scene_id: UUID, told: int, settings: Settings) -> int:
    """Tell how far a training is if that is further than `told` fits; return how far it is."""
    with transaction(settings) as connection:
        found, scene = trainings.get(connection, scene_id), scenes.get(connection, scene_id)
    if found is None or scene is None or found.ended_at is not None or found.done <= told:
        return told
    publisher = publisher_of(settings, owner=OWNER)
    publisher.progress(asked.progress(found, scene.updated_at, None))
    publisher.flush()
    return found.done

"""Publish the scenes that come again and are due."""

from __future__ import annotations

from datetime import datetime

import structlog

from mela.errors import SceneInvalid
from mela.scene import parse_scene
from mela.settings import Settings
from messaging.publisher import Publisher
from warehouse.database import transaction
from warehouse.scenes.schedules import due_scenes, mark_published

LOG = structlog.get_logger(__name__)


def publish_due(settings: Settings, now: datetime) -> list[str]:
    """Publish each due scene and record that; return their ids.

    Kafka first: where this process ends in between, the scene is due again and comes with the same
    id, which the planner knows. A scene that no longer holds keeps no other one back; its
    SceneInvalid is raised at the end. Raises SourceUnavailable where Kafka does not answer.
    """
    with transaction(settings) as connection:
        due = due_scenes(connection, now)
    sent: list[str] = []
    refused: list[SceneInvalid] = []
    for one in due:
        try:
            scene = parse_scene(one.scene)
        except SceneInvalid as error:
            LOG.warning("scene_not_published", schedule=one.name, error=str(error))
            refused.append(error)
            continue
        with Publisher(settings.kafka) as publisher:
            publisher.scene(scene)
        with transaction(settings) as connection:
            mark_published(connection, one.schedule_id, str(scene.scene_id), one.covered_until)
        sent.append(str(scene.scene_id))
        LOG.info("scene_published", schedule=one.name, scene_id=sent[-1])
    if refused:
        raise refused[0]
    return sent

"""Scenes that are published again and again, whenever their candles are complete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from mela.errors import InputInvalid, NotFound, SceneInvalid
from mela.name_suggestions import did_you_mean, ended
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from messaging.publisher import Publisher
from services.scenes.publish import plan_scene
from warehouse.database import transaction
from warehouse.scenes import schedules
from warehouse.scenes.schedules import COMPLETE

LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A scene that comes again.

    every: `complete` or a cron expression in UTC
    last_covered_until, last_scene_id: the end of the newest span that was published, and its scene
    waits_for: why it is not due; None if it is
    """

    name: str
    instruments: tuple[str, ...]
    interval: str
    span: str
    every: str
    user: str | None
    active: bool
    last_covered_until: datetime | None
    last_scene_id: UUID | None
    waits_for: str | None = None


def add_schedule(
    name: str,
    document: Any,
    span: str,
    settings: Settings,
    *,
    every: str = COMPLETE,
    user: str | None = None,
    is_private: bool | None = None,
) -> None:
    """Let a scene come again over `span` before the end of its newest candles.

    document: the scene or its JSON values; its own id, start and end are not used
    is_private: whether only the user and administrators see it, and only the user its scenes; None:
        where the user keeps a scene private that asks for the same
    Raises SceneInvalid, and InputInvalid for a wrong span, rhythm, name, user or instrument.
    """
    scene: Scene = plan_scene(document, settings)[0]
    try:
        with transaction(settings) as connection:
            schedules.add(
                connection, name, scene, span, every=every, user=user, is_private=is_private
            )
    except ValueError as error:
        raise InputInvalid(None, f"{error}.") from error


def remove_schedule(name: str, settings: Settings) -> None:
    """Publish a scene no longer; scenes that were published stay. Raises NotFound."""
    with transaction(settings) as connection:
        was_there = schedules.remove(connection, name)
        names = [] if was_there else [one.name for one in schedules.schedules(connection)]
    if not was_there:
        sentence = ended(f"no schedule has the name {name}{did_you_mean(name, names)}")
        raise NotFound(f"{sentence} `mela schedule list` says what there is.")


def list_schedules(settings: Settings, now: datetime | None = None) -> list[Schedule]:
    """Return all schedules by name, each with why it is not due at an instant (None: now)."""
    with transaction(settings) as connection:
        found = schedules.schedules(connection)
        states = schedules.states(connection, now or datetime.now(UTC))
    return [
        Schedule(
            name=one.name,
            instruments=tuple(one.instruments),
            interval=one.interval,
            span=one.span,
            every=one.every,
            user=one.user,
            active=one.active,
            last_covered_until=one.last_covered_until,
            last_scene_id=one.last_scene_id,
            waits_for=state if isinstance(state := states[one.name], str) else None,
        )
        for one in found
    ]


def publish_due(settings: Settings, now: datetime) -> list[str]:
    """Publish each scene that is due, record that, and return the ids.

    Logs of every other schedule why it is not due.

    The owner is committed first, because the planner must find it. Only when Kafka
    has the scene is it no longer due. So a process that ends in between leaves it due under the
    same id, and what is sent twice counts once. A scene that is no longer valid holds no other one
    back; its SceneInvalid is raised at the end. Raises SourceUnavailable if Kafka does not answer.
    """
    with transaction(settings) as connection:
        states = schedules.states(connection, now)
    for name, state in states.items():
        if isinstance(state, str):
            LOG.info("schedule_not_due", schedule=name, because=state)
    if not states:
        LOG.info("no_scene_is_scheduled", way_out="mela schedule add")
    due = [state for state in states.values() if isinstance(state, schedules.DueScene)]
    sent: list[str] = []
    refused: list[SceneInvalid] = []
    for one in due:
        try:
            scene = parse_scene(one.scene)
        except SceneInvalid as error:
            LOG.warning("scene_not_published", schedule=one.name, error=str(error))
            refused.append(error)
            continue
        scene_id = str(scene.scene_id)
        with transaction(settings) as connection:
            schedules.announce(connection, one.schedule_id, scene_id, one.covered_until)
        with Publisher(settings.kafka) as publisher:
            publisher.scene(scene)
        with transaction(settings) as connection:
            schedules.mark_published(connection, one.schedule_id, scene_id, one.covered_until)
        sent.append(scene_id)
        LOG.info("scene_published", schedule=one.name, scene_id=scene_id)
    if refused:
        raise refused[0]
    return sent

"""Publish a scene: check it, give it an id, record whose it is, and send it to Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from mela.errors import Conflict, InputInvalid
from mela.grid import Plan
from mela.market_checks import check_markets
from mela.messages import SCENES
from mela.scene import Scene
from mela.settings import Settings
from mela.training import Training, check_kind
from messaging.consumer import check_broker
from messaging.publisher import Publisher
from services.models.pinning import pinned_scene
from services.scenes.local_check import checked_scene
from services.strategies.all_strategies import all_strategies

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Published:
    """A scene that was sent, with its id, and the numbers of its plan."""

    scene_id: UUID
    scene: Scene
    runs: int
    skipped: int


def plan_scene(document: Any, settings: Settings) -> tuple[Scene, Plan]:
    """Return a scene and its plan, checked as the planner will check them.

    document: the scene as JSON values, or a Scene. Raises SceneInvalid with the first fault
    and, as its `others`, what else is wrong.
    """
    check_kind(document)
    catalogue = all_strategies(settings)
    pin = partial(pinned_scene, settings=settings)  # for the plan: the planner pins what it reads
    scene, plan = checked_scene(document, catalogue, max_runs=settings.max_runs, pin=pin)
    if scene.mode == "together" or plan.has_free_shorts:
        from services.candles.instruments import known_or_none  # loads SQLAlchemy

        known = known_or_none(scene.instruments, settings)
        check_markets(scene, known, has_free_shorts=plan.has_free_shorts)
    return scene, plan


def with_id(scene: Scene) -> Scene:
    """Return the scene with its id, or with a new one if it has none."""
    return scene if scene.scene_id else scene.model_copy(update={"scene_id": uuid4()})


def publish_scene(
    document: Scene | Mapping[str, Any], settings: Settings, *, user: str | None = None
) -> Published:
    """Publish a scene and return its id.

    document: a scene, or its JSON values; with an id, or it gets a new one
    user: whose scene it is. The user is recorded before the scene is sent
    Raises SceneInvalid, SourceUnavailable if Kafka does not answer, and Conflict if the id belongs
    to another scene.
    """
    scene, plan = plan_scene(document, settings)
    return send_scene(with_id(scene), plan, settings, user=user)


def send_scene(
    scene: Scene, plan: Plan, settings: Settings, *, user: str | None = None
) -> Published:
    """Send a scene that `plan_scene` has checked. It needs an id."""
    if scene.scene_id is None:
        raise ValueError("expected a scene with a scene_id; `with_id` gives it one")
    check_broker(settings, SCENES)  # before anything is recorded
    if user is not None:
        announce(scene, plan, user, settings)
    with Publisher(settings.kafka) as publisher:
        publisher.scene(scene)
    return Published(scene.scene_id, scene, plan.runs, plan.skipped)


def announce(scene: Scene, plan: Plan, user: str, settings: Settings) -> None:
    """Record whose a scene is, before it is sent. Raises Conflict, and InputInvalid for a user."""
    announce_as(scene, user, settings, runs=plan.runs, skipped=plan.skipped)


def announce_as(
    scene: Scene | Training, user: str, settings: Settings, *, runs: int, skipped: int
) -> None:
    """Record whose a scene or a training is. Raises as `announce` does."""
    from warehouse.database import transaction  # loads SQLAlchemy
    from warehouse.scenes import records

    with transaction(settings) as connection:
        user_id = _user_id(connection, user)
        try:
            records.announce(connection, scene, runs=runs, skipped=skipped, user_id=user_id)
        except ValueError as error:
            raise Conflict(f"{error}.") from error


def _user_id(connection: Connection, user: str) -> int:
    from warehouse.scenes import users

    try:
        return users.ensure(connection, user)
    except ValueError as error:
        raise InputInvalid("user", f"{error}.") from error

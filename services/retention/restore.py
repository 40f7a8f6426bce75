"""Have pruned results again, and keep a scene from being pruned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import text

from mela.errors import Conflict
from mela.messages import SCENES
from mela.settings import Settings
from messaging.consumer import check_broker
from messaging.publisher import Publisher
from services.scenes.publish import plan_scene
from services.scenes.stored_scenes import stored_scene
from warehouse.database import transaction
from warehouse.retention import pruned
from warehouse.scenes import records

_PIN = text("""
    INSERT INTO ops.scene_pin (scene_id, reason) VALUES (:scene_id, :reason)
    ON CONFLICT (scene_id) DO UPDATE SET reason = coalesce(excluded.reason, scene_pin.reason)
""")
_UNPIN = text("DELETE FROM ops.scene_pin WHERE scene_id = :scene_id")
_PINS = text("""
    SELECT p.scene_id, s.name, p.pinned_at, p.reason FROM ops.scene_pin p
    JOIN ops.scene s ON s.scene_id = p.scene_id ORDER BY p.pinned_at, p.scene_id
""")


@dataclass(frozen=True, slots=True)
class Pin:
    """A scene of which nothing is pruned, and why."""

    scene_id: UUID
    name: str | None
    pinned_at: datetime
    reason: str | None


def restore(scene_id: UUID, settings: Settings) -> UUID:
    """Publish a scene again whose results were pruned; return the id under which it is computed.

    Doing it twice publishes it once, because the id follows from the scene and from the pass that
    removed its results. Raises NotFound, Conflict where nothing was pruned, and SceneInvalid.
    """
    with transaction(settings) as connection:
        scene = stored_scene(connection, scene_id)
        gone = pruned.of_scene(connection, scene_id)
    if gone is None:
        raise Conflict(
            f"no result of the scene {scene_id} was pruned; `mela results {scene_id}` shows them."
        )
    new_id = uuid5(NAMESPACE_URL, f"mela:restore:{scene_id}:{gone.rule.pass_id}")
    again, plan = plan_scene({**scene.content, "scene_id": str(new_id)}, settings)
    check_broker(settings, SCENES)
    with transaction(settings) as connection:
        receipt = records.announce(
            connection,
            again,
            runs=plan.runs,
            skipped=plan.skipped,
            user_id=scene.user_id,
            rerun_of=scene_id,
        )
    if receipt.outcome is not records.PublicationStatus.REPEATED:
        with Publisher(settings.kafka) as publisher:
            publisher.scene(again)
    return new_id


def pin(scene_id: UUID, settings: Settings, *, reason: str | None = None) -> None:
    """Keep everything of a scene. Raises NotFound."""
    with transaction(settings) as connection:
        stored_scene(connection, scene_id)
        connection.execute(_PIN, {"scene_id": scene_id, "reason": reason})


def unpin(scene_id: UUID, settings: Settings) -> bool:
    """Let the rules hold for a scene again. Returns whether it was pinned."""
    with transaction(settings) as connection:
        return connection.execute(_UNPIN, {"scene_id": scene_id}).rowcount > 0


def pins(settings: Settings) -> list[Pin]:
    """Return the pinned scenes, the first one first."""
    with transaction(settings) as connection:
        return [Pin(*row) for row in connection.execute(_PINS)]

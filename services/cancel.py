"""Cancel a scene."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from mela.errors import Conflict
from mela.messages import Progress, State
from mela.settings import Settings
from messaging.publisher import Publisher
from services.scenes import stored_scene
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.scenes import records


def cancel_scene(scene_id: UUID, settings: Settings) -> None:
    """Stop a scene: runs that are not executed yet will be recorded as cancelled.

    Raises NotFound for an unknown scene, Conflict for one that has ended.
    """
    with transaction(settings) as connection:
        stored_scene(connection, scene_id)
        is_cancelled = records.cancel(connection, scene_id)
        [counted] = finder.progress(connection, [scene_id])
    if not is_cancelled:
        raise Conflict(f"the scene {scene_id} has ended already, so there is nothing to cancel.")
    with Publisher(settings.kafka) as publisher:
        publisher.progress(
            Progress(
                scene_id=scene_id,
                state=State.CANCELLED,
                at=datetime.now(UTC),
                runs=counted.runs,
                skipped=counted.skipped,
                cached=counted.cached,
                recorded=counted.recorded,
                cancelled=counted.cancelled,
            )
        )

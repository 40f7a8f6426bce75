"""Cancel a scene."""

from __future__ import annotations

from uuid import UUID

from mela.errors import Conflict
from mela.settings import Settings
from services.scenes.stored_scenes import stored_scene
from warehouse.database import transaction
from warehouse.scenes import cards, records


def cancel_scene(scene_id: UUID, settings: Settings) -> None:
    """Stop a scene: runs that are not executed yet will be recorded as cancelled.

    It needs the warehouse alone: the streaming job tells it on `mela.progress`. Raises NotFound
    for an unknown scene, Conflict for one that has ended.
    """
    with transaction(settings) as connection:
        stored_scene(connection, scene_id)
        if not records.cancel(connection, scene_id):
            raise Conflict(
                f"the scene {scene_id} has ended already, so there is nothing to cancel."
            )
        cards.tell(connection, scene_id)

"""Scenes that the warehouse knows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from mela.errors import NotFound
from warehouse.scenes import records


def stored_scene(connection: Connection, scene_id: UUID) -> dict[str, Any]:
    """Return a scene's row in ops.scene. Raises NotFound."""
    scene = records.get(connection, scene_id)
    if scene is None:
        raise NotFound(
            f"no scene has the id {scene_id}. If it was published a moment ago, it may not be "
            "planned yet; `mela status` tells whether the streaming job runs."
        )
    return scene

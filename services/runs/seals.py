"""Tell whether stored results are still what was stored."""

from __future__ import annotations

from uuid import UUID

from mela.settings import Settings
from warehouse.database import transaction
from warehouse.results.seals import BrokenSeal, broken_seals


def verify_results(
    settings: Settings, *, scene_id: str | UUID | None = None
) -> tuple[list[BrokenSeal], int]:
    """Return the results that changed since they were stored, and how many were compared.

    scene_id: compare only the results that answer this scene
    """
    with transaction(settings) as connection:
        return broken_seals(connection, scene_id=scene_id)

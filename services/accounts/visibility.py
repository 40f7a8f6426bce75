"""Decide what a caller may see and change; hidden objects answer like absent ones."""

from __future__ import annotations

from uuid import UUID

from mela.errors import NotAllowed, NotFound
from mela.settings import Settings
from services.accounts.accounts import Caller
from warehouse.accounts import visible
from warehouse.database import transaction


def check_scene(
    settings: Settings, caller: Caller, scene_id: UUID, *, to_change: bool = False
) -> None:
    """Let a caller see a scene, or change it. Raises NotFound, and NotAllowed to change another's.

    A scene is seen by all, or, if it is private, by its owner. Only its owner changes it.
    """
    with transaction(settings) as connection:
        if not visible.sees_scene(connection, caller.user_id, scene_id):
            raise NotFound(no_scene(scene_id))
        if to_change and not visible.owns_scene(connection, caller.user_id, scene_id):
            raise NotAllowed(f"scene {scene_id} belongs to somebody else.", "not_yours")


def check_run(settings: Settings, caller: Caller, run_key: str) -> None:
    """Let a caller see a run. Raises NotFound where he sees no scene that has it."""
    with transaction(settings) as connection:
        if not visible.sees_run(connection, caller.user_id, run_key):
            raise NotFound(no_run(run_key))


def no_scene(scene_id: UUID) -> str:
    """Return the words for a scene that is not there, or that the caller may not see."""
    return f"there is no scene {scene_id}."


def no_run(run_key: str) -> str:
    """Return the words for a run that is not there, or that the caller may not see."""
    return f"there is no run {run_key[:64]}."

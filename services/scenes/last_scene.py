"""The scene that was published last from this machine: its planner may not have read it yet."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import structlog

from mela.settings import Settings

LOG = structlog.get_logger(__name__)


class PublishedLast(NamedTuple):
    """A scene, and when it was published."""

    scene_id: UUID
    at: datetime


def note_published(scene_id: UUID, settings: Settings) -> None:
    """Remember a scene as the last."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        _note(settings).write_text(f"{scene_id}\n", encoding="ascii")
    except OSError as error:  # the scene is published all the same
        LOG.warning("last_scene_not_noted", scene_id=str(scene_id), why=str(error))


def published_last(settings: Settings) -> PublishedLast | None:
    """Return the scene that was remembered last; None where there is none."""
    note = _note(settings)
    if not note.is_file():
        return None
    at = datetime.fromtimestamp(note.stat().st_mtime, UTC)
    return PublishedLast(UUID(note.read_text(encoding="ascii").strip()), at)


def _note(settings: Settings) -> Path:
    return settings.home / "last_scene"

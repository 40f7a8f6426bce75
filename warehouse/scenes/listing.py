"""Find scenes: the newest first, or by the first digits of an id."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

DIGITS = frozenset("0123456789abcdef")
# A rejected scene's content is whatever its author sent: each step into it may find nothing.
_WANTED = """
    FROM ops.scene s LEFT JOIN ops.user u ON u.id = s.user_id
    WHERE (CAST(:states AS text[]) IS NULL OR s.status = ANY(CAST(:states AS text[])))
      AND (CAST(:user AS text) IS NULL OR u.name = :user)
      AND (CAST(:strategy AS text) IS NULL
           OR s.content->'strategy'->>'name' = :strategy
           OR jsonb_exists(s.content->'search'->'space'->'strategy.name', :strategy))
    ORDER BY s.received_at DESC, s.scene_id DESC LIMIT :most
"""
_NEWEST = text(f"""
    SELECT s.scene_id, s.name, s.status, s.content, s.rejection_field, s.rejection_sentence,
           s.received_at, s.planned_at, s.finished_at, s.cancelled_at, u.name AS user,
           CAST(CASE jsonb_typeof(s.best->'best') WHEN 'array' THEN s.best->'best'->0
                ELSE s.best->'best' END ->> coalesce(s.content->>'rank_by', :rank_by)
           AS float8) AS ended_with
    {_WANTED}
""")
_LIKE = text("""
    SELECT scene_id FROM ops.scene
    WHERE replace(scene_id::text, '-', '') LIKE :beginning
    ORDER BY received_at DESC, scene_id LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class SceneRow:
    """A scene as it is stored.

    content: of a rejected one, whatever its author sent
    ended_with: what ranked its best result when it was finished; None before that
    """

    scene_id: UUID
    name: str | None
    status: str
    content: Any
    rejection_field: str | None
    rejection_sentence: str | None
    received_at: datetime
    planned_at: datetime | None
    finished_at: datetime | None
    cancelled_at: datetime | None
    user: str | None
    ended_with: float | None


def newest(
    connection: Connection,
    *,
    states: Collection[str] | None = None,
    strategy: str | None = None,
    user: str | None = None,
    rank_by: str,
    most: int,
) -> list[SceneRow]:
    """Return the scenes that were received last, the newest first.

    states, strategy, user: only scenes of these; None means all
    rank_by: the metric of scenes that name none
    """
    values = {"states": None if states is None else list(states), "strategy": strategy}
    rows = connection.execute(_NEWEST, values | {"user": user, "most": most, "rank_by": rank_by})
    return [SceneRow(**row) for row in rows.mappings()]


def beginning_with(connection: Connection, digits: str, *, most: int) -> list[UUID]:
    """Return the ids that begin with some hexadecimal digits, the newest first.

    Raises ValueError for anything but digits and hyphens.
    """
    beginning = digits.lower().replace("-", "")
    if not beginning or not DIGITS.issuperset(beginning):
        raise ValueError(f"expected the first digits of a scene's id, but found {digits!r}")
    found = connection.scalars(_LIKE, {"beginning": f"{beginning}%", "most": most})
    return list(found)

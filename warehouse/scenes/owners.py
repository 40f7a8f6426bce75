"""The owners of scenes, as stated before the scenes reached the planner, or unknown."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

_ADMISSIONS = text("""
    SELECT s.scene_id, s.user_id, s.rerun_of IS NOT NULL AS is_rerun,
           s.status <> 'rejected' AND s.partition IS NOT NULL AS is_admitted
    FROM ops.scene s WHERE s.scene_id = ANY(CAST(:scene_ids AS uuid[]))
""")
_OWN = text("""
    UPDATE ops.scene SET user_id = :user_id
    WHERE scene_id = ANY(CAST(:scene_ids AS uuid[])) AND user_id IS NULL AND rerun_of IS NULL
""")


@dataclass(frozen=True, slots=True)
class Known:
    """A scene as it is stored before it is planned.

    is_rerun: it was published again by Mela itself, for nobody
    is_admitted: the planner took it before, and was stopped
    """

    user_id: int | None
    is_rerun: bool
    is_admitted: bool


def known(connection: Connection, scene_ids: Collection[UUID]) -> dict[UUID, Known]:
    """Return what is stored of those scenes that are stored."""
    rows = connection.execute(_ADMISSIONS, {"scene_ids": [str(one) for one in scene_ids]})
    return {row.scene_id: Known(row.user_id, row.is_rerun, row.is_admitted) for row in rows}


def own(connection: Connection, scene_ids: Collection[UUID], user_id: int) -> None:
    """Give those scenes to a user that belong to nobody, and are not published again by Mela."""
    values = {"scene_ids": [str(one) for one in scene_ids], "user_id": user_id}
    connection.execute(_OWN, values)

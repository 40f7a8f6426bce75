"""Find stored results whose numbers are no longer those that were stored.

Each result is stored with a seal (`own_seals`, migration 0023); the database seals what comes
without one. Roles that store results can change neither these nor their seals; the owner of the
warehouse can change both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

_BROKEN = text("""
    SELECT broken.result_key, broken.is_sealed, r.run_key, r.computed_at, q.interval, q.strategy,
           i.venue || ':' || i.symbol AS instrument,
           ARRAY(SELECT a.scene_id::text FROM ops.scene_run a
                 WHERE a.result_key = broken.result_key ORDER BY 1) AS scene_ids
    FROM ops.broken_seals() broken
    JOIN ops.result r ON r.result_key = broken.result_key
    JOIN ops.run q ON q.run_key = r.run_key
    JOIN ops.instrument i ON i.id = q.instrument_id
    WHERE CAST(:scene_id AS uuid) IS NULL OR EXISTS (
        SELECT FROM ops.scene_run a
        WHERE a.result_key = broken.result_key AND a.scene_id = CAST(:scene_id AS uuid))
    ORDER BY r.computed_at DESC, broken.result_key
""")
_COUNT = text("""
    SELECT count(*) FROM ops.result r
    WHERE CAST(:scene_id AS uuid) IS NULL OR EXISTS (
        SELECT FROM ops.scene_run a
        WHERE a.result_key = r.result_key AND a.scene_id = CAST(:scene_id AS uuid))
""")


@dataclass(frozen=True, slots=True)
class BrokenSeal:
    """A stored result that is not what was stored.

    is_sealed: false where it has no seal at all, so that it came past the trigger
    scene_ids: the scenes that it answers
    """

    result_key: str
    run_key: str
    instrument: str
    interval: str
    strategy: str
    computed_at: datetime
    is_sealed: bool
    scene_ids: tuple[str, ...]


def broken_seals(
    connection: Connection, *, scene_id: str | UUID | None = None
) -> tuple[list[BrokenSeal], int]:
    """Return the results that changed since they were stored, and how many were compared.

    scene_id: compare only the results that answer this scene
    """
    values = {"scene_id": scene_id and str(scene_id)}
    found = [
        BrokenSeal(
            *(row.result_key, row.run_key, row.instrument, row.interval, row.strategy),
            *(row.computed_at, row.is_sealed, tuple(row.scene_ids)),
        )
        for row in connection.execute(_BROKEN, values)
    ]
    return found, connection.execute(_COUNT, values).scalar_one()

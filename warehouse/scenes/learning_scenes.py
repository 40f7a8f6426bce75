"""Scenes that learn which runs to ask for: which are under way, and what their runs were worth.

Nothing of a sampler is stored. It is rebuilt from the answers, which `ops.scene_run` keeps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from mela.metrics import METRICS

_LEARNS = "content->'search'->>'kind' = 'tpe'"
_UNDER_WAY = text(f"""
    SELECT scene_id::text FROM ops.scene WHERE status = 'planned' AND {_LEARNS}
    ORDER BY received_at, scene_id
""")  # noqa: S608  made of constants
_AMONG = text(f"""
    SELECT scene_id::text, status = 'planned' AS planned FROM ops.scene
    WHERE scene_id = ANY(CAST(:scene_ids AS uuid[])) AND status IN ('received', 'planned')
      AND {_LEARNS}
    ORDER BY received_at, scene_id
""")  # noqa: S608  made of constants
_COUNT = text("""
    UPDATE ops.scene SET skipped = :skipped, runs = coalesce(:runs, runs),
        cached = (SELECT count(*) FROM ops.scene_run a WHERE a.scene_id = :scene_id AND a.cached)
    WHERE scene_id = :scene_id AND status = 'planned'
""")
_CLOSE = text("""
    UPDATE ops.scene SET
        runs = (SELECT count(*) FROM ops.scene_run a WHERE a.scene_id = :scene_id)
    WHERE scene_id = :scene_id AND status = 'planned'
""")
_STRANGERS = text("""
    SELECT count(*) FROM ops.scene_run
    WHERE scene_id = :scene_id AND NOT run_key = ANY(CAST(:run_keys AS text[]))
""")


class Worth(NamedTuple):
    """The value of a recorded run: the metric that ranks its scene, and its round trips."""

    value: float | None
    trades: int | None


def under_way(connection: Connection) -> list[str]:
    """Return the scenes that learn, are planned and have not ended, the oldest first."""
    return list(connection.scalars(_UNDER_WAY))


def among(connection: Connection, scene_ids: Iterable[str | UUID]) -> dict[str, bool]:
    """Return those of some scenes that learn and have not ended, each with whether it is planned.

    One that is not yet will be in a moment: `planned` was sent before it was stored.
    """
    rows = connection.execute(_AMONG, {"scene_ids": [str(one) for one in scene_ids]})
    return {row.scene_id: row.planned for row in rows}


def worths(
    connection: Connection, scene_id: str | UUID, run_keys: Collection[str], metric: str
) -> dict[str, Worth]:
    """Return what those of some runs were worth that a scene has recorded, by run_key.

    Raises ValueError if the name is no metric.
    """
    if metric not in METRICS:
        raise ValueError(f"expected a metric, one of {', '.join(METRICS)}, but found {metric!r}")
    rows = connection.execute(
        text(f"""
            SELECT a.run_key, r.{metric} AS value, r.trades
            FROM unnest(CAST(:run_keys AS text[])) AS asked (run_key)
            JOIN ops.scene_run a ON a.scene_id = CAST(:scene_id AS uuid)
                                AND a.run_key = asked.run_key
            JOIN ops.result r ON r.result_key = a.result_key
        """),  # noqa: S608  made of constants, and of a metric's name that was checked
        {"scene_id": str(scene_id), "run_keys": list(run_keys)},
    )
    return {row.run_key: Worth(row.value, row.trades) for row in rows}


def count(
    connection: Connection, scene_id: str | UUID, *, skipped: int, runs: int | None = None
) -> None:
    """Store how many sets a scene's search has left out, and what was answered from the store.

    runs: how many it has asked for in all, where it has ended with fewer than were planned
    """
    connection.execute(_COUNT, {"scene_id": str(scene_id), "skipped": skipped, "runs": runs})


def close(connection: Connection, scene_id: str | UUID) -> None:
    """Store that a scene's search asks for no more runs than those that are recorded."""
    connection.execute(_CLOSE, {"scene_id": str(scene_id)})


def strangers(connection: Connection, scene_id: str | UUID, run_keys: Collection[str]) -> int:
    """Return how many runs a scene has recorded besides some."""
    values = {"scene_id": str(scene_id), "run_keys": list(run_keys)}
    return int(connection.scalar(_STRANGERS, values) or 0)

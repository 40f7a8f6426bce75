"""Counts of scenes, runs and results for whoever watches: cheap however much is stored.

Nothing here reads `ops.result` or more of `ops.scene_run` than the scenes at work have.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

_SCENES = text("""
    SELECT status, count(*), sum(runs), sum(cached) FROM ops.scene GROUP BY status
""")
_REJECTED = text("""
    SELECT rejection_code, count(*) FROM ops.scene WHERE status = 'rejected' GROUP BY 1
""")
_AT_WORK = text("""
    SELECT count(a.run_key) FROM ops.scene s JOIN ops.scene_run a USING (scene_id)
    WHERE s.status = 'planned'
""")
_OLDEST = text("""
    SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0) FROM ops.scene
    WHERE status IN ('received', 'planned')
""")
_MARKED = text("SELECT count(*) FROM ops.chunk_mark")
# ANALYZE keeps the number of rows, and how often each of a column's common values occurs.
_ESTIMATED = text("""
    SELECT status, freq * greatest(c.reltuples, 0)
    FROM pg_class c JOIN pg_stats t ON t.schemaname = 'ops' AND t.tablename = 'result'
        AND t.attname = 'status',
        LATERAL unnest(t.most_common_vals::text::text[], t.most_common_freqs) AS v (status, freq)
    WHERE c.oid = 'ops.result'::regclass
""")


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of the warehouse.

    scenes, rejected: by state, by code
    runs: recorded, pending, dropped, unplanned
    results: by status, estimated
    """

    scenes: dict[str, int]
    rejected: dict[str, int]
    runs: dict[str, int]
    cached: int
    results: dict[str, float]
    oldest_s: float
    marked: int


def counted(connection: Connection, *, limit_s: float) -> Counts:
    """Count. Raises sqlalchemy's DBAPIError if a statement takes longer than `limit_s`."""
    connection.execute(
        text("SELECT set_config('statement_timeout', :limit, true)"),
        {"limit": f"{round(limit_s * 1000)}"},
    )
    scenes: dict[str, int] = {}
    runs: dict[str, int] = {}
    cached = 0
    for status, count, asked, stored in connection.execute(_SCENES):
        scenes[status], runs[status] = count, int(asked or 0)
        cached += int(stored or 0)
    at_work = int(connection.scalar(_AT_WORK) or 0)
    return Counts(
        scenes=scenes,
        rejected={str(code): count for code, count in connection.execute(_REJECTED)},
        runs={
            "recorded": runs.get("finished", 0) + at_work,
            "pending": max(0, runs.get("planned", 0) - at_work),
            "dropped": runs.get("cancelled", 0),
            "unplanned": runs.get("received", 0),
        },
        cached=cached,
        results={str(status): float(count) for status, count in connection.execute(_ESTIMATED)},
        oldest_s=float(connection.scalar(_OLDEST) or 0),
        marked=int(connection.scalar(_MARKED) or 0),
    )

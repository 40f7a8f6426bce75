"""Marks on chunks that a worker executes, where the workers of all machines see them.

They wait for no disk: a mark must survive the process that made it, not the database's machine.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

_MOVE = text("""
    WITH gone AS (
        DELETE FROM ops.chunk_mark USING set_config('synchronous_commit', 'off', true) AS quick
        WHERE chunk = ANY(CAST(:done AS text[])))
    INSERT INTO ops.chunk_mark (chunk, made_at)
    SELECT chunk, clock_timestamp()
    FROM unnest(CAST(:chunks AS text[])) AS chunk, set_config('synchronous_commit', 'off', true)
    ORDER BY chunk ON CONFLICT DO NOTHING RETURNING chunk
""")


def move(connection: Connection, done: Collection[str], chunks: Collection[str]) -> set[str]:
    """Take the marks of chunks that are done away, and mark others; return those that had one.

    done: none of `chunks`
    """
    given = {"done": sorted(done), "chunks": sorted(chunks)}
    return set(chunks) - set(connection.scalars(_MOVE, given))

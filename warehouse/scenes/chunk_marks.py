"""Marks on chunks that a worker executes, where the workers of all machines see them.

They wait for no disk: a mark must survive the process that made it, not the database's machine.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

_ADD = text("""
    INSERT INTO ops.chunk_mark (chunk, made_at)
    SELECT chunk, clock_timestamp()
    FROM unnest(CAST(:chunks AS text[])) AS chunk, set_config('synchronous_commit', 'off', true)
    ORDER BY chunk ON CONFLICT DO NOTHING RETURNING chunk
""")
_REMOVE = text("""
    DELETE FROM ops.chunk_mark USING set_config('synchronous_commit', 'off', true) AS quick
    WHERE chunk = ANY(:chunks)
""")


def add(connection: Connection, chunks: Collection[str]) -> set[str]:
    """Mark chunks; return those that had a mark before."""
    return set(chunks) - set(connection.scalars(_ADD, {"chunks": list(chunks)}))


def remove(connection: Connection, chunks: Collection[str]) -> None:
    """Take the marks of chunks away."""
    connection.execute(_REMOVE, {"chunks": list(chunks)})

"""Marks on chunks that a worker executes, where the workers of all machines see them.

They wait for no disk: a mark must survive the process that made it, not the database's machine.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

_ADD = text("""
    INSERT INTO ops.chunk_mark (chunk, made_at)
    SELECT :chunk, clock_timestamp() FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT DO NOTHING RETURNING chunk
""")
_REMOVE = text("""
    DELETE FROM ops.chunk_mark USING set_config('synchronous_commit', 'off', true) AS quick
    WHERE chunk = :chunk
""")


def add(connection: Connection, chunk: str) -> bool:
    """Mark a chunk; tell whether it had no mark before."""
    return connection.scalar(_ADD, {"chunk": chunk}) is not None


def remove(connection: Connection, chunk: str) -> None:
    """Take the mark of a chunk away."""
    connection.execute(_REMOVE, {"chunk": chunk})

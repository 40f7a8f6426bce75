"""States of engines, from which a restart goes on. The log stays what counts."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Connection, text

KEPT = 2
_SAVE_PART = text("""
    INSERT INTO ops.session_snapshot_part (session_id, name, state)
    VALUES (:session_id, :name, :state) ON CONFLICT DO NOTHING
""")
_PARTS = text("SELECT name, state FROM ops.session_snapshot_part WHERE session_id = :session_id")
_SAVE = text("""
    INSERT INTO ops.session_snapshot (session_id, seq, state) VALUES (:session_id, :seq, :state)
    ON CONFLICT DO NOTHING
""")
_THIN = text("""
    DELETE FROM ops.session_snapshot WHERE session_id = :session_id AND seq NOT IN (
        SELECT seq FROM ops.session_snapshot WHERE session_id = :session_id
        ORDER BY seq DESC LIMIT :kept)
""")
_NEWEST = text("""
    SELECT seq, state FROM ops.session_snapshot WHERE session_id = :session_id
    ORDER BY seq DESC LIMIT 1
""")


def save(
    connection: Connection, session_id: UUID, seq: int, state: bytes, parts: Mapping[str, bytes]
) -> None:
    """Keep a state after an event, and let older ones go but the last before it.

    parts: what it builds on and was not kept before; it never changes
    """
    for name, part in parts.items():
        values = {"session_id": session_id, "name": name, "state": part}
        connection.execute(_SAVE_PART, values)
    connection.execute(_SAVE, {"session_id": session_id, "seq": seq, "state": state})
    connection.execute(_THIN, {"session_id": session_id, "kept": KEPT})


def newest(connection: Connection, session_id: UUID) -> tuple[int, bytes] | None:
    """Return the number and the state of the newest snapshot; None where there is none."""
    row = connection.execute(_NEWEST, {"session_id": session_id}).one_or_none()
    return None if row is None else (row.seq, bytes(row.state))


def parts(connection: Connection, session_id: UUID) -> dict[str, bytes]:
    """Return what all snapshots of a session build on, by name."""
    rows = connection.execute(_PARTS, {"session_id": session_id})
    return {row.name: bytes(row.state) for row in rows}

"""The kill switch: set by a person, obeyed by whoever gives orders, released by a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from warehouse.trading.sessions import ASKED, tell

_SET = text("""
    INSERT INTO ops.kill_latch (session_id, is_flattening, user_id, why)
    VALUES (:session_id, :is_flattening, :user_id, :why) RETURNING latch_id
""")
_REPORT = text("UPDATE ops.kill_latch SET report = :report WHERE latch_id = :latch_id")
_RELEASE = text("""
    UPDATE ops.kill_latch SET released_at = now(), released_by = :user_id
    WHERE released_at IS NULL AND session_id IS NOT DISTINCT FROM :session_id
""")
_SET_NOW = text("""
    SELECT l.latch_id, l.session_id, l.is_flattening, u.name AS by, l.why, l.set_at, l.report
    FROM ops.kill_latch l JOIN ops.user u ON u.id = l.user_id
    WHERE l.released_at IS NULL
      AND (CAST(:session_id AS uuid) IS NULL OR l.session_id IS NULL OR l.session_id = :session_id)
    ORDER BY l.latch_id
""")


@dataclass(frozen=True, slots=True)
class Latch:
    """A kill switch that is set. session_id: None for all sessions. report: what was done."""

    latch_id: int
    session_id: UUID | None
    is_flattening: bool
    by: str
    why: str | None
    set_at: datetime
    report: str | None


def set_latch(
    connection: Connection,
    session_id: UUID | None,
    user_id: int,
    *,
    is_flattening: bool,
    why: str | None,
) -> int:
    """Set the kill switch of a session, or of all (None), and return its number."""
    values = {
        "session_id": session_id,
        "is_flattening": is_flattening,
        "user_id": user_id,
        "why": why,
    }
    latch_id: int = connection.execute(_SET, values).scalar_one()
    tell(connection, ASKED, str(session_id or ""))
    return latch_id


def report(connection: Connection, latch_id: int, words: str) -> None:
    """Store what was done when the switch was set."""
    connection.execute(_REPORT, {"latch_id": latch_id, "report": words})


def release(connection: Connection, session_id: UUID | None, user_id: int) -> bool:
    """Release the switch of a session, or that of all (None); tell whether it was set."""
    values = {"session_id": session_id, "user_id": user_id}
    return connection.execute(_RELEASE, values).rowcount > 0


def set_now(connection: Connection, session_id: UUID | None = None) -> list[Latch]:
    """Return the switches that are set, for a session those that hold for it."""
    values = {"session_id": session_id}
    return [Latch(**row) for row in connection.execute(_SET_NOW, values).mappings()]

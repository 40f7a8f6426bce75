"""Commands to sessions; the trading process answers in the row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from warehouse.trading.sessions import ASKED, CHANGED, tell

_COLUMNS = """
    c.command_id, c.session_id, c.kind, u.name AS by, c.why, c.asked_at, c.answered_at, c.outcome,
    c.answer
"""
_FROM = "FROM ops.session_command c JOIN ops.user u ON u.id = c.user_id"
_ASK = text("""
    INSERT INTO ops.session_command (session_id, kind, user_id, why)
    VALUES (:session_id, :kind, :user_id, :why) RETURNING command_id
""")
_WAITING = text(f"SELECT {_COLUMNS} {_FROM} WHERE c.answered_at IS NULL ORDER BY c.command_id")
_ONE = text(f"SELECT {_COLUMNS} {_FROM} WHERE c.command_id = :command_id")
_OF_SESSION = text(f"""
    SELECT {_COLUMNS} {_FROM} WHERE c.session_id = :session_id
    ORDER BY c.command_id DESC LIMIT :most
""")
_ANSWER = text("""
    UPDATE ops.session_command SET answered_at = now(), outcome = :outcome, answer = :answer
    WHERE command_id = :command_id AND answered_at IS NULL RETURNING session_id
""")


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """A command. by: who asked; the last three: None until it is answered."""

    command_id: int
    session_id: UUID
    kind: str
    by: str
    why: str | None
    asked_at: datetime
    answered_at: datetime | None
    outcome: str | None
    answer: str | None


def ask(
    connection: Connection, session_id: UUID, kind: str, user_id: int, why: str | None
) -> StoredCommand:
    """Ask something of a session, and tell its process once this transaction commits."""
    values = {"session_id": session_id, "kind": kind, "user_id": user_id, "why": why}
    command_id: int = connection.execute(_ASK, values).scalar_one()
    tell(connection, ASKED, str(session_id))
    return get(connection, command_id)


def get(connection: Connection, command_id: int) -> StoredCommand:
    """Return a command that is there."""
    row = connection.execute(_ONE, {"command_id": command_id}).mappings().one()
    return StoredCommand(**row)


def waiting(connection: Connection) -> list[StoredCommand]:
    """Return all commands without an answer, the oldest first."""
    return [StoredCommand(**row) for row in connection.execute(_WAITING).mappings()]


def newest(connection: Connection, session_id: UUID, most: int) -> list[StoredCommand]:
    """Return what was asked of a session last, the newest first."""
    values = {"session_id": session_id, "most": most}
    return [StoredCommand(**row) for row in connection.execute(_OF_SESSION, values).mappings()]


def answer(connection: Connection, command_id: int, outcome: str, words: str) -> None:
    """Answer a command, once. outcome: done or refused."""
    values = {"command_id": command_id, "outcome": outcome, "answer": words}
    session_id = connection.scalar(_ANSWER, values)
    if session_id is not None:
        tell(connection, CHANGED, str(session_id))

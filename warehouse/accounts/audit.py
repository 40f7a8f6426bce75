"""The audit log: who did what, when and from where. It is only ever added to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

_NOTE = text("""
    INSERT INTO app.audit_entry (user_name, via, action, outcome, subject, address, detail)
    VALUES (:user, :via, :action, :outcome, :subject, :address, CAST(:detail AS jsonb))
""")
_NEWEST = text("""
    SELECT id, at, user_name AS user, via, action, outcome, subject, address, detail
    FROM app.audit_entry
    WHERE (CAST(:before AS bigint) IS NULL OR id < :before)
      AND (CAST(:user AS text) IS NULL OR user_name = :user)
      AND (CAST(:action AS text) IS NULL OR action = :action)
    ORDER BY id DESC LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was done, or refused. user: None where nobody had signed in."""

    id: int
    at: datetime
    user: str | None
    via: str
    action: str
    outcome: str
    subject: str | None
    address: str | None
    detail: dict[str, Any] | None


def note(
    connection: Connection,
    *,
    user: str | None,
    via: str,
    action: str,
    outcome: str,
    subject: str | None,
    address: str | None,
    detail: dict[str, Any] | None,
) -> None:
    """Add an entry."""
    values = {
        "user": user,
        "via": via,
        "action": action,
        "outcome": outcome,
        "subject": subject and subject[:300],
        "address": address,
        "detail": None if detail is None else orjson.dumps(detail).decode(),
    }
    connection.execute(_NOTE, values)


def newest(
    connection: Connection, *, before: int | None, user: str | None, action: str | None, most: int
) -> list[Entry]:
    """Return the last entries, the newest first. before: an entry's id, of which older ones."""
    values = {"before": before, "user": user, "action": action, "most": most}
    return [Entry(**row) for row in connection.execute(_NEWEST, values).mappings()]

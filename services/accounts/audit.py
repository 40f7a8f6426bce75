"""The audit log: write what somebody did, and read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mela.errors import InputInvalid
from mela.settings import Settings
from warehouse.accounts import audit as stored
from warehouse.accounts.audit import Entry
from warehouse.database import transaction

Via = Literal["session", "token", "nobody", "command"]
AuditOutcome = Literal["done", "refused"]
MOST = 200


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries, the newest first. next_cursor: for the older ones; None where there are none."""

    items: list[Entry]
    next_cursor: str | None


def note(
    settings: Settings,
    *,
    user: str | None,
    via: Via,
    action: str,
    outcome: AuditOutcome = "done",
    subject: str | None = None,
    address: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Add an entry to the log. user: None where nobody is known."""
    with transaction(settings) as connection:
        stored.note(
            connection,
            user=user,
            via=via,
            action=action,
            outcome=outcome,
            subject=subject,
            address=address,
            detail=detail,
        )


def page(
    settings: Settings,
    *,
    cursor: str | None = None,
    user: str | None = None,
    action: str | None = None,
    limit: int = 50,
) -> EntryPage:
    """Return entries, the newest first. Raises InputInvalid for a cursor that is none."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InputInvalid("cursor", "expected the next_cursor of another page.")
    before = int(cursor) if cursor else None
    most = min(limit, MOST)
    with transaction(settings) as connection:
        found = stored.newest(connection, before=before, user=user, action=action, most=most + 1)
    items = found[:most]
    return EntryPage(items, str(items[-1].id) if len(found) > most else None)

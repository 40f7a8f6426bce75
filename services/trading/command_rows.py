"""A command as people see it."""

from __future__ import annotations

from typing import Literal, cast

from services.trading.answers import CommandRow
from warehouse.trading.commands import StoredCommand


def command_row(one: StoredCommand) -> CommandRow:
    """Return a command as people see it."""
    return CommandRow(
        command_id=one.command_id,
        kind=one.kind,
        by=one.by,
        why=one.why,
        asked_at=one.asked_at,
        answered_at=one.answered_at,
        outcome=cast("Literal['done', 'refused'] | None", one.outcome),
        answer=one.answer,
    )

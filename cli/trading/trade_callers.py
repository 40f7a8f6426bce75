"""The caller of `mela trade`, the audit of his commands, and waiting for their answers."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import err, fail
from mela.settings import Settings

if TYPE_CHECKING:
    from uuid import UUID

    from services.accounts.accounts import Caller
    from services.trading.answers import CommandRow

Why = Annotated[str | None, typer.Option(help="Why, for the log.")]
ANSWER_S = 15.0


def caller_of(settings: Settings, user: str | None = None) -> Caller:
    """Return who asks."""
    from services.trading.callers import at_this_machine

    return at_this_machine(settings, user)


def note(
    settings: Settings, caller: Caller, action: str, subject: object, detail: dict[str, Any]
) -> None:
    """Write into the audit log who did it at this machine's command line."""
    from services.accounts import audit

    audit.note(
        settings,
        user=caller.user,
        via="command",
        action=action,
        subject=str(subject),
        detail={**detail, "login": getpass.getuser()},
    )


def answered(settings: Settings, caller: Caller, session_id: UUID, asked: CommandRow) -> None:
    """Wait for the answer to a command, and print it."""
    from services.trading import sessions

    until = time.monotonic() + ANSWER_S
    while time.monotonic() < until:
        known = sessions.get_session(settings, caller, session_id).commands
        for one in known:
            if one.command_id == asked.command_id and one.answer is not None:
                if one.outcome == "refused":
                    raise fail(one.answer)
                err.print(one.answer, markup=False)
                return
        time.sleep(0.1)
    raise fail(
        f"nothing answered within {ANSWER_S:.0f} s: the command waits until the process that "
        "trades takes it. `mela status` tells whether it runs."
    )

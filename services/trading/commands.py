"""Ask a session for something. Its process answers in the row; the kill switch is set at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection

from mela.errors import Conflict, InputInvalid, NotAllowed
from mela.settings import Settings
from services.accounts.accounts import Caller, Role, Scope
from services.trading import session_view
from services.trading.answers import CommandRow
from services.trading.command_rows import command_row
from warehouse.database import transaction
from warehouse.trading import beats, latches
from warehouse.trading import commands as stored
from warehouse.trading.sessions import StoredSession

SILENT_S = 30.0  # without a sign of life, as on the page of a session
KINDS = ("pause", "resume", "stop", "release")


def ask(
    settings: Settings, caller: Caller, session_id: UUID, kind: str, *, why: str | None = None
) -> CommandRow:
    """Ask a session to pause, resume, stop, or to trade again after the kill switch.

    Raises NotFound, NotAllowed, InputInvalid for another kind, and Conflict where its state does
    not allow it.
    """
    if kind not in KINDS:
        raise InputInvalid("kind", f"expected one of {', '.join(KINDS)}, but found {kind!r}.")
    with transaction(settings) as connection:
        one = changeable(connection, caller, session_id, also_ended=kind == "release")
        _check_going(one, may_be_outside=kind == "release")
        if kind == "release":
            _release(connection, caller, one)
        elif kind == "resume" and one.state != "paused":
            raise Conflict(f"the session {one.name!r} is {one.state} and not paused.")
        elif kind == "pause" and one.state not in ("starting", "running"):
            raise Conflict(f"the session {one.name!r} is {one.state}, so it cannot pause.")
        return command_row(stored.ask(connection, session_id, kind, caller.user_id, why))


def kill(
    settings: Settings,
    caller: Caller,
    session_id: UUID,
    *,
    confirm: str,
    flatten: bool,
    why: str | None = None,
) -> CommandRow:
    """Set the kill switch of a session. It holds at once, and until a person releases it.

    confirm: the session's name; flatten: whether what is held is sold, or bought back
    The answer has words without an outcome where the process that trades is silent, which alone
    has the broker's keys besides the command line. One that has ended may have orders and positions
    at a broker still; on paper it has none.
    Raises NotFound, NotAllowed, Conflict for one that has ended on paper, and InputInvalid.
    """
    with transaction(settings) as connection:
        one = changeable(connection, caller, session_id, also_ended=True)
        _check_going(one, may_be_outside=True)
        if confirm != one.name:
            raise InputInvalid(
                "confirm", f"expected the session's name, {one.name!r}, but found {confirm!r}."
            )
        if not _is_set(connection, session_id, flatten=flatten):
            latches.set_latch(
                connection, session_id, caller.user_id, is_flattening=flatten, why=why
            )
        row = command_row(stored.ask(connection, session_id, "kill", caller.user_id, why))
        return replace(row, answer=_silence(connection, one))


def set_all(settings: Settings, caller: Caller, *, flatten: bool, why: str | None) -> None:
    """Set the kill switch of all sessions, also of those to come. Raises NotAllowed."""
    _check_admin(caller)
    with transaction(settings) as connection:
        if not _is_set(connection, None, flatten=flatten):
            latches.set_latch(connection, None, caller.user_id, is_flattening=flatten, why=why)


def release_all(settings: Settings, caller: Caller) -> bool:
    """Release the kill switch of all sessions, and tell whether it was set. Raises NotAllowed.

    Sessions stay halted until each is released itself.
    """
    _check_admin(caller)
    with transaction(settings) as connection:
        return latches.release(connection, None, caller.user_id)


def changeable(
    connection: Connection, caller: Caller, session_id: UUID, *, also_ended: bool = False
) -> StoredSession:
    """Return a session that a caller may change and that goes on, unless it may have ended.

    Raises NotFound, NotAllowed and Conflict.
    """
    one = session_view.found(connection, caller, session_id, to_change=True)
    if not caller.may(Scope.WRITE):
        raise NotAllowed(f"{caller.user} may not change sessions: that takes the role trader.")
    if not also_ended:
        _check_going(one)
    return one


def _check_going(one: StoredSession, *, may_be_outside: bool = False) -> None:
    """Raise Conflict for a session that has ended, unless a broker may have something of it."""
    if one.has_ended and not (may_be_outside and not one.broker.startswith("paper")):
        raise Conflict(f"the session {one.name!r} has ended: it {one.state}.")


def _silence(connection: Connection, one: StoredSession) -> str | None:
    """Return what a person must do where the process that trades does not hear of a kill."""
    beat_at = beats.newest_beat(connection)
    if not beats.is_silent(beat_at, datetime.now(UTC), SILENT_S):
        return None
    since = "has never run" if beat_at is None else f"has been silent since {beat_at:%H:%M:%S} UTC"
    if one.broker.startswith("paper"):
        return f"the switch is set; the process that trades {since}, and obeys when it runs again"
    return (
        f"the switch is set, so that no order leaves, but NOTHING IS CANCELLED at the broker: the "
        f"process that trades {since}. Run `mela trade kill {one.name}` where the stack runs, or "
        "cancel on the broker's own page"
    )


def _is_set(connection: Connection, session_id: UUID | None, *, flatten: bool) -> bool:
    """Tell whether a switch of the same reach waits to be carried out, which does as much.

    One that was carried out is set anew, so that it is carried out again.
    """
    return any(
        one.report is None and one.session_id == session_id and (one.is_flattening or not flatten)
        for one in latches.set_now(connection)
    )


def _release(connection: Connection, caller: Caller, one: StoredSession) -> None:
    latches.release(connection, one.session_id, caller.user_id)
    left = latches.set_now(connection, one.session_id)
    if left:
        raise Conflict(
            f"the kill switch of all sessions is set, by {left[0].by}, and holds for "
            f"{one.name!r} too; `mela trade release --all` releases it first."
        )


def _check_admin(caller: Caller) -> None:
    if caller.role is not Role.ADMIN:
        raise NotAllowed(f"{caller.user} may not do this to all sessions: that takes an admin.")

"""A session as people see it, from what is stored of it."""

from __future__ import annotations

import math
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Connection

from mela.errors import NotAllowed, NotFound
from mela.inference import common_quote
from services.accounts.accounts import Caller, Role
from services.trading.answers import RiskState, SessionRow, State
from warehouse.trading import beats, rows, sessions
from warehouse.trading.sessions import StoredSession


def found(
    connection: Connection, caller: Caller, session_id: UUID, *, to_change: bool = False
) -> StoredSession:
    """Return a session that a caller may see, or change. Raises NotFound and NotAllowed.

    A private session is seen by its owner and by administrators. Its owner changes it, and an
    administrator may, so that somebody can stop it.
    """
    one = sessions.get(connection, session_id)
    if one is None or not may_see(caller, one):
        raise NotFound(f"there is no session {session_id}; `mela trade list` names them all.")
    if to_change and one.user_id != caller.user_id and caller.role is not Role.ADMIN:
        raise NotAllowed(
            f"the session {one.name!r} belongs to {one.owner}: only its owner and administrators "
            "may change it.",
            "not_yours",
        )
    return one


def may_see(caller: Caller, one: StoredSession) -> bool:
    """Tell whether a caller may see a session."""
    return not one.is_private or one.user_id == caller.user_id or caller.role is Role.ADMIN


def accounts_of(one: StoredSession) -> int:
    """Return how many accounts a session has."""
    return len(one.instruments) if one.mode == "each" else 1


def row_of(connection: Connection, caller: Caller, one: StoredSession) -> SessionRow:
    """Return a session as a row of a list."""
    counted = rows.numbers(connection, one.session_id, accounts_of(one))
    equity, began = number(counted["equity"]), number(counted["day_equity"])
    if began is None:
        began = one.cash * accounts_of(one)
    return SessionRow(
        session_id=one.session_id,
        name=one.name,
        owner=one.owner,
        is_mine=one.user_id == caller.user_id,
        is_private=one.is_private,
        instruments=tuple(one.instruments),
        interval=one.interval,
        mode=one.mode,
        strategy=one.strategy,
        broker=one.broker,
        feed=one.feed,
        money="live" if one.money == "live" else "paper",
        state=cast("State", one.state),
        why=one.why,
        risk_state=cast("RiskState", one.risk_state),
        risk_why=one.risk_why,
        quote=common_quote(one.instruments),
        cash=one.cash * accounts_of(one),
        equity=equity,
        day_profit=None if equity is None else equity - began,
        positions=counted["positions"],
        open_orders=counted["open_orders"],
        trades=counted["trades"],
        last_candle_at=counted["closed_at"],
        heard_at=counted["heard_at"],
        beat_at=beats.newest_beat(connection),
        started_at=one.started_at or one.created_at,
        ended_at=one.stopped_at,
        version=(counted["seq"] or 0) + counted["commands"] + int(one.has_ended),
    )


def number(value: Any) -> float | None:
    """Return a number, or None for one that is missing or none."""
    return float(value) if value is not None and math.isfinite(value) else None

"""Read a session's positions, orders and refusals, and its equity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

_POSITIONS = text("""
    SELECT instrument, units, average_price, price, value, entered_at, changed_at
    FROM ops.session_position WHERE session_id = :session_id AND units <> 0 ORDER BY instrument
""")
_ORDERS = text("""
    SELECT client_order_id, broker_order_id, instrument, side, leg, kind, reason, level, units,
           filled_units, average_price, fees, candle_at, state, why, intended_at, changed_at
    FROM ops.session_order
    WHERE session_id = :session_id
      AND (NOT :only_open OR state NOT IN ('filled', 'cancelled', 'rejected', 'expired'))
      AND (CAST(:before_at AS timestamptz) IS NULL
           OR (intended_at, client_order_id) < (:before_at, CAST(:before_id AS text)))
    ORDER BY intended_at DESC, client_order_id DESC LIMIT :most
""")
_NET = text("""
    SELECT instrument, sum(CASE side WHEN 'buy' THEN units ELSE -units END) AS units,
           max(filled_at) FILTER (WHERE fill_id LIKE '%/adopted') AS adopted_at
    FROM ops.session_fill WHERE session_id = :session_id GROUP BY instrument
""")
_LAST_FILLED = text("""
    SELECT coalesce((SELECT max(filled_at) FROM ops.session_fill WHERE session_id = :session_id),
                    (SELECT min(intended_at) FROM ops.session_order WHERE session_id = :session_id))
""")
_FILLED_SINCE = text("""
    SELECT fill_id FROM ops.session_fill WHERE session_id = :session_id AND filled_at >= :since
""")
_FILLS = text("""
    SELECT fill_id, client_order_id, instrument, side, units, price, fee, filled_at, seq
    FROM ops.session_fill
    WHERE session_id = :session_id AND (CAST(:before AS bigint) IS NULL OR seq < :before)
    ORDER BY seq DESC, fill_id DESC LIMIT :most
""")
_TRADES = text("""
    SELECT seq, instrument, entry_at, exit_at, size, entry_price, exit_price, fees, profit,
           exit_reason
    FROM ops.session_trade
    WHERE session_id = :session_id AND (CAST(:before AS bigint) IS NULL OR seq < :before)
    ORDER BY seq DESC LIMIT :most
""")
_VERDICTS = text("""
    SELECT seq, at, instrument, candle_at, is_allowed, code, saw, units, granted_units
    FROM ops.session_verdict
    WHERE session_id = :session_id AND (NOT :only_refused OR NOT is_allowed)
      AND (CAST(:before AS bigint) IS NULL OR seq < :before)
    ORDER BY seq DESC LIMIT :most
""")
# An account that has no candle at an instant is worth what it was worth before.
_EQUITY = text("""
    SELECT account, opened_at, closed_at, equity, cash FROM ops.session_equity
    WHERE session_id = :session_id ORDER BY closed_at, account
""")
_NUMBERS = text("""
    SELECT s.session_id,
        (SELECT count(*) FROM ops.session_position p
         WHERE p.session_id = s.session_id AND p.units <> 0) AS positions,
        (SELECT count(*) FROM ops.session_order o WHERE o.session_id = s.session_id
           AND o.state NOT IN ('filled', 'cancelled', 'rejected', 'expired')) AS open_orders,
        (SELECT count(*) FROM ops.session_trade t WHERE t.session_id = s.session_id) AS trades,
        (SELECT max(seq) FROM ops.session_event e WHERE e.session_id = s.session_id) AS seq,
        (SELECT count(*) + count(answered_at) FROM ops.session_command c
         WHERE c.session_id = s.session_id) AS commands,
        (SELECT e.at FROM ops.session_event e
         WHERE e.session_id = s.session_id AND e.kind = 'CandleClosed'
         ORDER BY e.seq DESC LIMIT 1) AS heard_at,
        last.equity, last.cash, last.closed_at, day.equity AS day_equity
    FROM ops.session s
    LEFT JOIN LATERAL (
        SELECT sum(one.equity) AS equity, sum(one.cash) AS cash, max(one.closed_at) AS closed_at
        FROM generate_series(0, :accounts - 1) AS account(n),
        LATERAL (SELECT equity, cash, closed_at FROM ops.session_equity e
                 WHERE e.session_id = s.session_id AND e.account = account.n
                 ORDER BY opened_at DESC LIMIT 1) one
    ) last ON true
    LEFT JOIN LATERAL (
        SELECT sum(one.equity) AS equity
        FROM generate_series(0, :accounts - 1) AS account(n),
        LATERAL (SELECT equity FROM ops.session_equity e
                 WHERE e.session_id = s.session_id AND e.account = account.n
                   AND e.closed_at <= date_trunc('day', last.closed_at, 'UTC')
                 ORDER BY opened_at DESC LIMIT 1) one
    ) day ON true
    WHERE s.session_id = :session_id
""")

Row = Mapping[Any, Any]


def positions(connection: Connection, session_id: UUID) -> Sequence[Row]:
    """Return what is held now, by instrument."""
    return connection.execute(_POSITIONS, {"session_id": session_id}).mappings().all()


def orders(
    connection: Connection,
    session_id: UUID,
    *,
    only_open: bool,
    before: tuple[datetime, str] | None,
    most: int,
) -> Sequence[Row]:
    """Return orders, the newest first."""
    values = {
        "session_id": session_id,
        "only_open": only_open,
        "before_at": before and before[0],
        "before_id": before and before[1],
        "most": most,
    }
    return connection.execute(_ORDERS, values).mappings().all()


def fills(
    connection: Connection, session_id: UUID, *, before: int | None, most: int
) -> Sequence[Row]:
    """Return fills, the newest first."""
    return _by_number(connection, _FILLS, session_id, before, most)


def trades(
    connection: Connection, session_id: UUID, *, before: int | None, most: int
) -> Sequence[Row]:
    """Return round trips, the newest first."""
    return _by_number(connection, _TRADES, session_id, before, most)


def verdicts(
    connection: Connection,
    session_id: UUID,
    *,
    only_refused: bool,
    before: int | None,
    most: int,
) -> Sequence[Row]:
    """Return what the gate of risk said, the newest first."""
    more = {"only_refused": only_refused}
    return _by_number(connection, _VERDICTS, session_id, before, most, **more)


def equity(connection: Connection, session_id: UUID) -> Sequence[Row]:
    """Return the values of all accounts, the oldest first."""
    return connection.execute(_EQUITY, {"session_id": session_id}).mappings().all()


def numbers(connection: Connection, session_id: UUID, accounts: int) -> Row:
    """Return what is counted of a session, and its newest equity. accounts: how many it has."""
    values = {"session_id": session_id, "accounts": accounts}
    return connection.execute(_NUMBERS, values).mappings().one()


def _by_number(
    connection: Connection,
    statement: Any,
    session_id: UUID,
    before: int | None,
    most: int,
    **more: Any,
) -> Sequence[Row]:
    values = {"session_id": session_id, "before": before, "most": most, **more}
    return connection.execute(statement, values).mappings().all()


@dataclass(frozen=True, slots=True)
class Net:
    """The sums of a session's fills in an instrument. units: signed.

    adopted_at: until when fills that were none of its own orders' are among them; None: there are
        none
    """

    instrument: str
    units: float
    adopted_at: datetime | None


def net(connection: Connection, session_id: UUID) -> list[Net]:
    """Return what a session holds by its fills."""
    found = connection.execute(_NET, {"session_id": session_id}).mappings()
    return [Net(**row) for row in found]


def last_filled(connection: Connection, session_id: UUID) -> datetime | None:
    """Return when the last fill was, else the first order; None for a session without orders."""
    return connection.scalar(_LAST_FILLED, {"session_id": session_id})


def filled_since(connection: Connection, session_id: UUID, since: datetime) -> set[str]:
    """Return the ids of the fills since an instant (included)."""
    values = {"session_id": session_id, "since": since}
    return set(connection.scalars(_FILLED_SINCE, values))

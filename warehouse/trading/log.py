"""A session's log: events are added with what follows from them, in one transaction, and read.

All statements of a batch go in one message, because each message costs as much as a short query.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg2
from sqlalchemy import Connection, text

from mela.errors import Conflict, SourceUnavailable
from mela.instants import from_ms
from warehouse.trading.sessions import CHANGED

READ_AT_ONCE = 2_000
_READ = text("""
    SELECT seq, kind, is_input, at, document FROM ops.session_event
    WHERE session_id = :session_id AND seq > :after ORDER BY seq LIMIT :most
""")
_NEWEST = text("""
    SELECT seq, kind, is_input, at, document FROM ops.session_event
    WHERE session_id = :session_id AND (CAST(:before AS bigint) IS NULL OR seq < :before)
      AND (CAST(:kind AS text) IS NULL OR kind = :kind)
    ORDER BY seq DESC LIMIT :most
""")
_LAST = text("SELECT coalesce(max(seq), 0) FROM ops.session_event WHERE session_id = :session_id")
_LATCHED = (
    "SELECT latch_id FROM ops.kill_latch WHERE released_at IS NULL"
    " AND (session_id IS NULL OR session_id = %s) LIMIT 1"
)


class KillSwitchSet(Exception):
    """Say that the kill switch was set meanwhile: what was decided must not be stored."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event to be added. document: its fields, as text."""

    kind: str
    is_input: bool
    document: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of a log. at: when it was stored."""

    seq: int
    kind: str
    is_input: bool
    at: datetime
    document: str


@dataclass(slots=True)
class Rows:
    """Rows of the tables beside the log that follow from some events.

    Each row is a tuple in the order of the columns of its statement below, without the session.
    For orders and positions only the last row of a key is kept.
    """

    orders: dict[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    fills: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    trades: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    equity: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    positions: dict[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    verdicts: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    state: tuple[str, str | None] | None = None
    risk_state: tuple[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    insert: str
    conflict: str = "ON CONFLICT DO NOTHING"


_ORDERS = _Table(
    "INSERT INTO ops.session_order AS old (session_id, client_order_id, broker_order_id,"
    " instrument, side, leg, kind, reason, level, units, filled_units, average_price, fees,"
    " candle_at, state, why, intended_at, changed_at, seq)",
    "ON CONFLICT (session_id, client_order_id) DO UPDATE SET"
    " broker_order_id = excluded.broker_order_id, units = excluded.units,"
    " filled_units = excluded.filled_units, average_price = excluded.average_price,"
    " fees = excluded.fees, state = excluded.state, why = excluded.why,"
    " changed_at = excluded.changed_at, seq = excluded.seq",
)
_FILLS = _Table(
    "INSERT INTO ops.session_fill (session_id, fill_id, client_order_id, instrument, side, units,"
    " price, fee, filled_at, seq)",
    "",  # a fill that is told twice is booked once: a second row would be an error
)
_TRADES = _Table(
    "INSERT INTO ops.session_trade (session_id, seq, instrument, entry_at, exit_at, size,"
    " entry_price, exit_price, fees, profit, exit_reason, slippage, borrow, mae, mfe)",
    "",
)
_EQUITY = _Table(
    "INSERT INTO ops.session_equity (session_id, account, opened_at, closed_at, equity, cash)"
)
_POSITIONS = _Table(
    "INSERT INTO ops.session_position AS old (session_id, instrument, units, average_price, price,"
    " value, entered_at, changed_at)",
    "ON CONFLICT (session_id, instrument) DO UPDATE SET units = excluded.units,"
    " average_price = excluded.average_price, price = excluded.price, value = excluded.value,"
    " entered_at = CASE WHEN excluded.units = 0 THEN NULL"
    " WHEN old.units * excluded.units > 0 THEN old.entered_at ELSE excluded.entered_at END,"
    " changed_at = excluded.changed_at",
)
# A candle that comes late is not the newest; an absence is none once a later candle came.
_SERIES = _Table(
    "INSERT INTO ops.session_series AS old (session_id, instrument, interval, opened_at,"
    " absent_at)",
    "ON CONFLICT (session_id, instrument, interval) DO UPDATE SET"
    " opened_at = greatest(old.opened_at, excluded.opened_at),"
    " absent_at = greatest(old.absent_at, excluded.absent_at),"
    " heard_at = CASE WHEN excluded.opened_at > coalesce(old.opened_at, '-infinity')"
    " THEN excluded.heard_at ELSE old.heard_at END",
)
_VERDICTS = _Table(
    "INSERT INTO ops.session_verdict (session_id, seq, instrument, candle_at, is_allowed, code,"
    " saw, units, granted_units, took_us)",
    "",
)


def append(
    connection: Connection,
    session_id: UUID,
    after: int,
    entries: Sequence[Entry],
    rows: Rows,
    *,
    is_halted: bool,
) -> None:
    """Add events with the numbers that follow `after`, and what follows from them.

    is_halted: whether these events know of the kill switch; else it must not be set
    Raises KillSwitchSet, Conflict where another process wrote to this log, SourceUnavailable.
    """
    me = str(session_id)
    with closing(_cursor(connection)) as cursor:
        numbered = ((after + n, *_fields(entry)) for n, entry in enumerate(entries, 1))
        insert = "INSERT INTO ops.session_event (session_id, seq, kind, is_input, document)"
        told: list[bytes] = [_values(cursor, me, _Table(insert, ""), numbered)]
        for table, found in (
            (_ORDERS, rows.orders.values()),
            (_FILLS, rows.fills),
            (_TRADES, rows.trades),
            (_EQUITY, rows.equity),
            (_POSITIONS, rows.positions.values()),
            (_VERDICTS, rows.verdicts),
            (_SERIES, _heard(entries)),
        ):
            if found:
                told.append(_values(cursor, me, table, found))
        told += _states(cursor, me, rows)
        told.append(cursor.mogrify("SELECT pg_notify(%s, %s)", (CHANGED, me)))
        told.append(cursor.mogrify(_LATCHED, (me,)))
        try:
            cursor.execute(b";\n".join(told))
        except psycopg2.IntegrityError as error:
            raise Conflict(f"the log of session {session_id} has gone on: {error}") from error
        except psycopg2.Error as error:
            raise SourceUnavailable(f"the warehouse takes no events: {error}") from error
        if cursor.fetchone() is not None and not is_halted:
            raise KillSwitchSet(f"the kill switch of session {session_id} was set")


def read(connection: Connection, session_id: UUID, after: int) -> Iterator[StoredEvent]:
    """Yield the events whose numbers are above `after`, in order."""
    while True:
        values = {"session_id": session_id, "after": after, "most": READ_AT_ONCE}
        found = [StoredEvent(**row) for row in connection.execute(_READ, values).mappings()]
        yield from found
        if len(found) < READ_AT_ONCE:
            return
        after = found[-1].seq


def newest(
    connection: Connection, session_id: UUID, *, before: int | None, kind: str | None, most: int
) -> list[StoredEvent]:
    """Return the last events, the newest first. before: a number, of which smaller ones."""
    values = {"session_id": session_id, "before": before, "kind": kind, "most": most}
    return [StoredEvent(**row) for row in connection.execute(_NEWEST, values).mappings()]


def last(connection: Connection, session_id: UUID) -> int:
    """Return the number of the last event; 0 for an empty log."""
    return connection.execute(_LAST, {"session_id": session_id}).scalar_one()


def _heard(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """Return the newest opening of each series that came, and the newest that is absent."""
    came, absent = dict[tuple[str, str], int](), dict[tuple[str, str], int]()
    for entry in entries:
        if entry.kind not in ("CandleClosed", "CandleAbsent"):
            continue
        said = json.loads(entry.document)
        is_here = entry.kind == "CandleClosed"
        found = came if is_here else absent
        for name in (said["instrument"],) if is_here else said["instruments"]:
            key = name, said["interval"]
            found[key] = max(said["opened_ms"], found.get(key, said["opened_ms"]))
    return [
        (*key, *(from_ms(found[key]) if key in found else None for found in (came, absent)))
        for key in dict.fromkeys((*came, *absent))
    ]


def _fields(entry: Entry) -> tuple[str, bool, str]:
    return entry.kind, entry.is_input, entry.document


def _values(cursor: Any, session_id: str, table: _Table, rows: Any) -> bytes:
    lines = [_line(cursor, session_id, row) for row in rows]
    return b"%b VALUES %b %b" % (
        table.insert.encode(),
        b", ".join(lines),
        table.conflict.encode(),
    )


def _line(cursor: Any, session_id: str, row: Sequence[Any]) -> bytes:
    marks = ", ".join(["%s"] * (len(row) + 1))
    return cursor.mogrify(f"({marks})", (session_id, *row))


def _states(cursor: Any, session_id: str, rows: Rows) -> list[bytes]:
    found: list[bytes] = []
    if rows.risk_state is not None:
        statement = "UPDATE ops.session SET risk_state = %s, risk_why = %s WHERE session_id = %s"
        found.append(cursor.mogrify(statement, (*rows.risk_state, session_id)))
    if rows.state is not None:
        state, why = rows.state
        statement = (
            "UPDATE ops.session SET state = %(state)s, why = %(why)s,"
            " started_at = CASE WHEN %(state)s = 'running' THEN coalesce(started_at, now())"
            " ELSE started_at END, stopped_at = CASE WHEN %(state)s IN ('stopped', 'failed')"
            " THEN coalesce(stopped_at, now()) END WHERE session_id = %(me)s"
        )
        found.append(cursor.mogrify(statement, {"state": state, "why": why, "me": session_id}))
    return found


def _cursor(connection: Connection) -> Any:
    return connection.connection.cursor()

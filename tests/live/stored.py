"""Sessions as the warehouse keeps them, for tests of what reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from live.events import INPUTS, Event, encode, kind_of
from mela.session import Session, parse_session
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.trading import log as stored_log
from warehouse.trading.log import Entry, Rows

DOCUMENT: dict[str, Any] = {
    "name": "a session",
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "strategy": {"name": "sma_cross", "params": {"fast": 2, "slow": 4}},
}


def a_session(settings: Settings, document: dict[str, Any] | None = None, **columns: Any) -> UUID:
    """Store a session that runs; return its id."""
    session: Session = parse_session(document or DOCUMENT)
    values = {
        "session_id": uuid4(),
        "name": session.name,
        "document": json.dumps(session.content()),
        "instruments": list(session.instruments),
        "interval": session.interval.value,
        "mode": session.mode,
        "strategy": "sma_cross",
        "broker": "paper",
        "feed": "binance",
        "money": "paper",
        "cash": session.cash,
        "state": "running",
        **columns,
    }
    with transaction(settings) as connection:
        values["user_id"] = connection.execute(
            text(
                "INSERT INTO ops.user (name) VALUES ('ann')"
                " ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id"
            )
        ).scalar_one()
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        connection.execute(
            text(f"INSERT INTO ops.session ({names}, started_at) VALUES ({marks}, now())"), values
        )
    return values["session_id"]


def log(settings: Settings, session_id: UUID, events: Sequence[Event]) -> None:
    """Add events to a session's log, as the process does."""
    entries = [
        Entry(kind, kind in INPUTS, encode(event))
        for event, kind in ((one, kind_of(one)) for one in events)
    ]
    with transaction(settings) as connection:
        after = stored_log.last(connection, session_id)
        stored_log.append(connection, session_id, after, entries, Rows(), is_halted=False)

"""What a session tells its owner: as much as its document asks for."""

from __future__ import annotations

import pytest

from live.events import Alerted
from live.journal import Journal
from mela.settings import Settings
from tests.live.stored import DOCUMENT, a_session, log
from tests.live.test_publisher import EVENTS
from tests.warehouse.given import rows
from warehouse.database import transaction
from warehouse.trading import snapshots

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, ["warning", "error", "critical"]),
        ({"alerts": {"level": "info"}}, ["info", "warning", "error", "critical"]),
        ({"alerts": {"level": "critical"}}, ["critical"]),
    ],
)
def test_a_session_tells_what_its_document_asks_for(
    warehouse: Settings, asked: dict[str, object], told: list[str]
) -> None:
    with transaction(warehouse) as connection:
        connection.exec_driver_sql("TRUNCATE ops.alert_outbox")
    journal = Journal(warehouse)
    session = journal.load(a_session(warehouse, {**DOCUMENT, **asked})).session

    for level in ("info", "warning", "error", "critical"):
        journal.alert(session, Alerted(level, level, f"something of level {level}"))

    found = rows(warehouse, "SELECT level FROM ops.alert_outbox ORDER BY id")
    assert [one.level for one in found] == told


def test_a_state_of_another_release_is_left_and_the_log_is_read_from_its_start(
    warehouse: Settings,
) -> None:
    session_id = a_session(warehouse)
    log(warehouse, session_id, EVENTS)
    head = b'{"version":1,"risk":{}}'
    with transaction(warehouse) as connection:
        old = len(head).to_bytes(4) + head + b"whatever it was"
        snapshots.save(connection, session_id, 2, old, {"started": b"{}"})

    loaded = Journal(warehouse).load(session_id)

    assert (loaded.state, loaded.seq, loaded.parts) == (None, 0, {})
    assert loaded.events[0].seq == 1

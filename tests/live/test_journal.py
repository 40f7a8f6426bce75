"""What a session tells its owner: as much as its document asks for."""

from __future__ import annotations

import pytest

from live.events import Alerted
from live.journal import Journal
from mela.settings import Settings
from tests.live.stored import DOCUMENT, a_session
from tests.warehouse.given import rows
from warehouse.database import transaction

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

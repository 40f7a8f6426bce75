"""migrations/versions/v0029: what sessions under way had heard, before anybody noted it."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from live.events import CandleClosed
from mela.instants import from_ms
from mela.interval import Interval
from mela.settings import Settings
from tests.live.stored import a_session, log
from tests.warehouse.given import rows
from tests.warehouse.schema.test_versions import move, older
from warehouse.database import transaction
from warehouse.schema.migrate import upgrade

__all__ = ["older"]
pytestmark = pytest.mark.integration
SERIES = "SELECT instrument, interval, opened_at, absent_at FROM ops.session_series ORDER BY 1"


def test_an_upgrade_knows_what_sessions_under_way_have_heard(older: Settings) -> None:
    upgrade(older)
    session_id, ended = a_session(older), a_session(older)
    prices = 1.0, 2.0, math.nan, 1.0, 5.0
    heard = [
        CandleClosed(name, Interval.H1, hour * 3_600_000, *prices, 9)
        for name in ("binance:BTCUSDT", "kraken:ETH/EUR")
        for hour in (1, 2, 0)
    ]
    log(older, session_id, heard)
    log(older, ended, heard)
    noted = rows(older, f"{SERIES}, opened_at")
    with transaction(older) as connection:
        connection.exec_driver_sql(
            f"UPDATE ops.session SET state = 'stopped', stopped_at = now()"
            f" WHERE session_id = '{ended}'"
        )
    move(older, "0028")
    move(older, "0029")
    found = rows(older, SERIES)
    at = from_ms(0) + timedelta(hours=2)
    assert [tuple(one) for one in found] == [
        ("binance:BTCUSDT", "1h", at, None),
        ("kraken:ETH/EUR", "1h", at, None),
    ]
    assert set(found) == set(noted)

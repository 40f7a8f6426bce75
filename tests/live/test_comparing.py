"""A session against its broker's account, as it trades: a stop that rests explains nothing."""

from __future__ import annotations

import asyncio

import pytest
import requests
from sqlalchemy import text

from mela.settings import Settings
from services.trading import sessions
from services.trading.callers import at_this_machine
from tests.live.played import FROM, on, order, running, start, until
from tests.live.test_restart import ALPACA
from warehouse.database import transaction

pytestmark = pytest.mark.integration
HOLDS = {
    **ALPACA,
    "strategy": {"name": "buy_and_hold"},
    "exits": {"stop_loss": 0.3},
}
RESTING = text("SELECT count(*) FROM ops.session_order WHERE leg = 'stop' AND state = 'accepted'")
KEYS = {"APCA-API-KEY-ID": "replay", "APCA-API-SECRET-KEY": "replay"}


def test_a_position_that_somebody_else_changed_halts_though_a_stop_rests(
    warehouse: Settings, replay
) -> None:
    server = replay()
    order(server, "play", **{"from": FROM, "speed": 60})
    settings = on(warehouse, server, reconcile_s=1.0)
    session_id = start(settings, HOLDS)
    ann = at_this_machine(settings, "ann")

    def is_resting() -> bool:
        with transaction(settings) as connection:
            return connection.execute(RESTING).scalar_one() == 1

    def risk() -> str:
        return sessions.get_session(settings, ann, session_id).row.risk_state

    async def trade() -> None:
        async with running(settings):
            await until(is_resting)
            await asyncio.sleep(3)  # some comparisons, from which nothing follows
            assert risk() == "active"
            by_hand = {"symbol": "BTC/USDT", "side": "buy", "qty": "0.01", "type": "market"}
            by_hand |= {"time_in_force": "gtc", "client_order_id": "by-hand"}
            asked = requests.post(
                f"{server.url}/alpaca/v2/orders", json=by_hand, headers=KEYS, timeout=10
            )
            assert asked.status_code == 200, asked.text
            await until(lambda: risk() == "halted", 15)

    asyncio.run(trade())

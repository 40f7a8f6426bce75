"""What sessions have at the replay's Alpaca, made and read beside the process that trades."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import requests

from live import kill
from live.broker_hub import prefix_of
from live.brokers import Broker, open_broker
from live.brokers.protocol import OrderRequest
from live.clock import ReplayClock
from live.journal import Journal
from mela.settings import Settings
from replay.faults import Fault
from services.accounts.accounts import Role
from services.trading import commands
from services.trading.callers import at_this_machine
from tests.live.test_restart import ALPACA

STOCK, OTHER, COIN = "alpaca:AAPL", "alpaca:SPY", "alpaca:BTC/USDT"
ETHER = "alpaca:ETH/USDT"
QUIET = {"name": "sma_cross", "params": {"fast": 50, "slow": 200}}
OPEN_MARKET = "2021-03-15T14:00:00+00:00"  # half an hour into a Monday of New York
HOLDS: dict[str, Any] = {**ALPACA, "instruments": [STOCK]}
ORDERS, POSITIONS = "/alpaca/v2/orders", "/alpaca/v2/positions"
HEADERS = {"APCA-API-KEY-ID": "replay", "APCA-API-SECRET-KEY": "replay"}


def opened(settings: Settings) -> Any:
    return lambda _money: open_broker(
        settings, ReplayClock(settings.replay_url or ""), answer_s=2.0
    )


def at_broker(settings: Settings, act: Any) -> Any:
    async def run() -> Any:
        broker = opened(settings)("paper")
        try:
            return await act(broker)
        finally:
            await broker.stop()

    return asyncio.run(run())


def buy(settings: Settings, session_id: UUID, units: float, what: str = STOCK) -> None:
    """Let a session hold something, by an order of its own that nobody but the broker knows."""

    async def bought(broker: Broker) -> None:
        number = f"{prefix_of(session_id)}-b-{what[-3:]}"
        await broker.submit(OrderRequest(number, what, "buy", units))
        while True:
            found = await broker.lookup(number)
            if found is not None and found.state == "filled":
                return
            await asyncio.sleep(0.02)

    at_broker(settings, bought)


def rest(settings: Settings, session_id: UUID, what: str = STOCK) -> str:
    """Let a session have an order that rests."""
    number = f"{prefix_of(session_id)}-l-{what[-3:]}"
    request = OrderRequest(number, what, "buy", 1.0, "limit", limit_price=1.0)
    at_broker(settings, lambda broker: broker.submit(request))
    return number


def held(settings: Settings) -> dict[str, float]:
    found = at_broker(settings, lambda broker: broker.positions())
    return {one.instrument: one.units for one in found}


def open_there(settings: Settings) -> list[str]:
    found = at_broker(settings, lambda broker: broker.open_orders())
    return [one.client_order_id for one in found]


def sold(server: Any) -> list[tuple[str, str, str]]:
    answer = requests.get(
        f"{server.url}{ORDERS}", params={"status": "all"}, headers=HEADERS, timeout=10
    )
    rows = [one for one in answer.json() if one["side"] == "sell"]
    return [(one["client_order_id"][12:], one["filled_qty"], one["status"]) for one in rows]


def pull(settings: Settings, session_id: UUID, *, flatten: bool = True) -> None:
    ann = at_this_machine(settings, "ann")
    name = Journal(settings).session(session_id).name
    commands.kill(settings, ann, session_id, confirm=name, flatten=flatten)


def carried_out(settings: Settings, patience_s: float = 20.0, **more: Any) -> kill.Killed:
    journal = Journal(settings)
    latch = journal.latches()[-1]
    done = asyncio.run(
        kill.carry_out(settings, latch, journal.meant(latch), opened(settings), patience_s, **more)
    )
    assert done is not None
    return done


def fail(settings: Settings, session_id: UUID, state: str = "failed") -> None:
    journal = Journal(settings)
    if state == "failed":
        journal.fail(journal.session(session_id), "for the test")
    else:
        journal.end(session_id, "for the test")


def lagging(server: Any, times: int) -> None:
    """Let the broker tell the positions of now, so many times more."""
    answer = requests.get(f"{server.url}{POSITIONS}", headers=HEADERS, timeout=10)
    server.faults.add(Fault(POSITIONS, 203, times=times, body=answer.text))


def admin(settings: Settings) -> Any:
    return replace(at_this_machine(settings, "ann"), role=Role.ADMIN)

"""What a session asks of a broker: nothing twice, nothing that it wants no more, and to the end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from live.broker_requests import Requests
from live.clock import ReplayClock
from live.events import Filled, LookedUp, OrderAnswered
from live.orders import Order, OrderState
from tests.live.brokers.asking import COIN, FROM, FROM_MS, order, run

pytestmark = pytest.mark.integration
ORDERS = "/alpaca/v2/orders"
BUSY = {"status": 429, "body": '{"code":42910000,"message":"rate limit exceeded"}'}
AT_ONCE = {"headers": {"Retry-After": "0"}}


@pytest.fixture
def server(replay):
    found = replay()
    order(found, "play", **{"from": FROM, "speed": 1})
    return found


@dataclass
class Told:
    """What a session's requests told, and whether its kill switch is set."""

    events: list[Any] = field(default_factory=list[Any])
    latches: list[Any] = field(default_factory=list[Any])  # the next answers; then: not set

    async def is_latched(self) -> bool:
        answer = self.latches.pop(0) if self.latches else False
        if isinstance(answer, Exception):
            raise answer
        return answer

    def states(self, number: str = "a-1") -> list[str]:
        return [
            one.state.value
            for one in self.events
            if isinstance(one, OrderAnswered) and one.client_order_id == number
        ]

    @property
    def bought(self) -> float:
        fills = {one.fill_id: one.units for one in self.events if isinstance(one, Filled)}
        return math.fsum(fills.values())


def wish(leg: str = "enter", number: str = "a-1", **more: Any) -> Order:
    side = more.pop("side", "buy")
    kind = more.pop("kind", "market")
    level = more.pop("level", math.nan)
    return Order(number, COIN, leg, side, kind, 0.5, level, leg, 0, FROM_MS)


def with_requests(server, told: Told, act: Callable[[Requests, Any], Any], **more: Any) -> Any:
    async def acted(broker) -> Any:
        clock = ReplayClock(server.url)
        requests = Requests(broker, clock, told.events.append, told.is_latched, **more)
        return await act(requests, broker)

    return run(server, acted)


def posts(server) -> int:
    return len([one for one in server.requests if one.startswith("POST") and ORDERS in one])


def test_an_exit_goes_on_while_the_broker_is_busy_and_an_entry_gives_up(
    server, monkeypatch
) -> None:
    monkeypatch.setattr("live.broker_requests.BUSY_S", 0.01)
    told = Told()
    order(server, "faults", path=ORDERS, method="POST", times=5, **BUSY, **AT_ONCE)

    async def act(requests: Requests, _) -> None:
        requests.submit(wish())
        await requests.finish()
        assert told.states() == ["rejected"]
        order(server, "faults", path=ORDERS, method="POST", times=7, **BUSY, **AT_ONCE)
        requests.submit(wish("exit", "a-2"))
        await requests.finish()

    with_requests(server, told, act)
    assert told.states("a-2") == ["accepted"]


def test_what_is_cancelled_while_it_waits_for_a_busy_broker_never_leaves(server) -> None:
    told = Told()
    order(server, "faults", path=ORDERS, method="POST", headers={"Retry-After": "3"}, **BUSY)

    async def act(requests: Requests, broker) -> None:
        requests.submit(wish("exit"))
        await asyncio.sleep(0.3)
        requests.cancel(wish("exit"))
        async with asyncio.timeout(5):
            await requests.finish()
        assert await broker.lookup("a-1") is None

    with_requests(server, told, act)
    assert told.states() == ["cancelled"]


def test_an_entry_that_waited_for_its_turn_too_long_does_not_leave(server, monkeypatch) -> None:
    monkeypatch.setattr("live.broker_requests.ENTRY_S", 0.5)
    told = Told()
    order(server, "faults", path=ORDERS, method="POST", headers={"Retry-After": "1"}, **BUSY)

    async def act(requests: Requests, broker) -> None:
        requests.submit(wish())
        requests.submit(wish("exit", "a-2"))
        await requests.finish()
        assert await broker.lookup("a-1") is None

    with_requests(server, told, act)
    assert told.states() == ["cancelled"]
    assert told.states("a-2") == ["accepted"]


def test_while_nobody_knows_whether_the_kill_switch_is_set_an_order_waits(server) -> None:
    away = OperationalError("SELECT", {}, Exception("the server closed the connection"))
    told = Told(latches=[away, away])

    async def act(requests: Requests, _) -> None:
        requests.submit(wish())
        await asyncio.sleep(0.2)
        assert told.events == []
        await requests.finish()

    with_requests(server, told, act)
    assert told.states() == ["accepted"]


def test_an_order_without_what_its_kind_needs_is_refused_and_not_in_doubt(server) -> None:
    told = Told()

    async def act(requests: Requests, _) -> None:
        requests.submit(wish(kind="stop", level=math.nan, side="sell"))
        await requests.finish()

    with_requests(server, told, act)
    assert told.states() == ["rejected"]


def test_a_cancel_is_asked_until_the_order_is_over(server, monkeypatch) -> None:
    monkeypatch.setattr("live.broker_requests.BUSY_S", 0.05)
    told = Told()

    async def act(requests: Requests, broker) -> None:
        resting = wish(kind="limit", level=1.0)
        requests.submit(resting)
        await requests.finish()
        order(server, "faults", path=ORDERS, method="DELETE", times=1, **BUSY)
        order(server, "faults", path=ORDERS, method="DELETE", times=1, status=None)
        requests.cancel(resting)
        await requests.finish()
        assert (await broker.lookup("a-1")).state == "cancelled"

    with_requests(server, told, act)
    assert told.states()[-1] == "cancelled"


def test_a_look_up_that_is_refused_leaves_the_order_to_the_next_comparison(server) -> None:
    told = Told()
    order(server, "faults", path=ORDERS, method="GET", status=403, body='{"message":"forbidden"}')

    async def act(requests: Requests, _) -> None:
        unsure = wish()
        requests.look_up(unsure)
        assert requests.is_asking("a-1")
        await requests.finish()
        await asyncio.sleep(0)
        assert told.events == []
        assert not requests.is_asking("a-1")
        requests.look_up(unsure)
        await requests.finish()

    with_requests(server, told, act, doubt_s=0.05)
    [found] = told.events
    assert found == LookedUp("a-1", False, OrderState.UNKNOWN, "", found.at_ms)

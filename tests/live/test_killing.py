"""live.kill, live.closing, live.killing: the kill switch's own requests, at a broker that fails.

Against the replay's Alpaca, whose positions are told late, whose answers are cut or held, or which
is away. A stock is held, because a broker would open a short where it is sold twice.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from sqlalchemy import text

from cli.trading import trade_kill
from live import kill
from live.broker_hub import prefix_of
from live.brokers import Broker, open_broker
from live.brokers.protocol import OrderRequest
from live.clock import ReplayClock
from live.journal import Journal
from live.killing import Killing
from mela.settings import Settings
from replay.faults import Fault
from services.trading import commands
from tests.live.at_broker import (
    HOLDS,
    ORDERS,
    OTHER,
    STOCK,
    admin,
    buy,
    carried_out,
    held,
    lagging,
    open_there,
    opened,
    pull,
    rest,
    sold,
)
from tests.live.played import order, start
from warehouse.database import transaction

pytestmark = pytest.mark.integration


def test_a_position_that_is_told_late_is_sold_once(market: tuple[Any, Settings]) -> None:
    server, settings = market
    session_id = start(settings, HOLDS)
    buy(settings, session_id, 3.0)
    lagging(server, 8)
    pull(settings, session_id)

    done = carried_out(settings)

    assert done.is_done, done.sentence()
    assert held(settings) == {}
    assert [one[1] for one in sold(server)] == ["3"]
    assert done.flattened == {STOCK: 3.0}


def test_a_position_that_is_never_told_anew_is_sold_once_and_said_to_be_held(
    market: tuple[Any, Settings],
) -> None:
    server, settings = market
    session_id = start(settings, HOLDS)
    buy(settings, session_id, 3.0)
    lagging(server, 10_000)
    pull(settings, session_id)

    done = carried_out(settings, 4.0)

    assert done.held == {STOCK: 3.0}
    assert "nothing is sold twice" in done.sentence()
    assert [one[1] for one in sold(server)] == ["3"]
    server.faults.clear()
    assert carried_out(settings).is_done
    assert [one[1] for one in sold(server)] == ["3"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(ORDERS, None, method="POST", is_done=True),
        Fault(ORDERS, None, method="POST"),
        Fault(ORDERS, 200, method="POST", delay_s=3.0),
        Fault(ORDERS, 429, method="POST", headers={"Retry-After": "1"}, times=2),
    ],
    ids=["taken", "lost", "taken later", "429"],
)
def test_an_order_that_is_not_answered_is_looked_up_before_another_leaves(
    market: tuple[Any, Settings], fault: Fault
) -> None:
    server, settings = market
    session_id = start(settings, HOLDS)
    buy(settings, session_id, 3.0)
    lagging(server, 8)
    server.faults.add(fault)
    pull(settings, session_id)

    done = carried_out(settings)

    assert done.is_done, done.sentence()
    assert held(settings) == {}
    assert [one[1] for one in sold(server)] == ["3"]


def test_two_that_carry_a_switch_out_sell_once(market: tuple[Any, Settings]) -> None:
    server, settings = market
    session_id = start(settings, HOLDS)
    buy(settings, session_id, 3.0)
    lagging(server, 20)
    pull(settings, session_id)
    journal = Journal(settings)
    [latch] = journal.latches()

    async def both() -> list[Any]:
        return await asyncio.gather(
            *(
                kill.carry_out(
                    settings,
                    latch,
                    journal.meant(latch),
                    opened(settings),
                    20.0,
                    even_if_another=True,
                )
                for _ in range(3)
            )
        )

    done = asyncio.run(both())
    assert all(one.is_done for one in done), [one.sentence() for one in done]
    assert [one[1] for one in sold(server)] == ["3"]


def test_a_rest_of_what_was_filled_in_part_is_sold_and_no_more(
    market: tuple[Any, Settings],
) -> None:
    """The first order is filled in part and cancelled by somebody; positions are told late."""
    server, settings = market
    session_id = start(settings, HOLDS)
    buy(settings, session_id, 10.0)
    lagging(server, 8)
    order(server, "trading", symbol="AAPL", shares=[0.4])
    pull(settings, session_id)

    async def run() -> kill.Killed | None:
        journal = Journal(settings)
        [latch] = journal.latches()
        carrying = asyncio.create_task(
            kill.carry_out(settings, latch, journal.meant(latch), opened(settings), 20.0)
        )
        broker = opened(settings)("paper")
        while not (there := await broker.open_orders()) or there[0].filled_units < 4.0:
            await asyncio.sleep(0.05)
        await broker.cancel(there[0].broker_order_id)
        await broker.stop()
        return await carrying

    done = asyncio.run(run())
    assert done is not None
    assert done.is_done, done.sentence()
    assert sorted(one[1] for one in sold(server)) == ["4", "6"]
    assert held(settings) == {}


def test_a_broker_that_is_away_ends_the_kill_in_time_and_is_told(
    market: tuple[Any, Settings], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    server, settings = market
    session_id = start(settings, HOLDS)
    rest(settings, session_id)
    pull(settings, session_id)
    server.faults.add(Fault("/alpaca/v2/", 503, times=100_000))

    begun = time.monotonic()
    done = carried_out(settings, 2.0)
    assert time.monotonic() - begun < 4.0
    assert not done.is_done
    assert "did not answer within 2 s" in done.sentence()

    monkeypatch.setattr(kill, "PATIENCE_S", 1.0)
    monkeypatch.setattr(trade_kill, "HALT_S", 0.1)
    assert trade_kill.carry_out(settings, session_id) is False
    assert "did not answer" in capsys.readouterr().out

    server.faults.clear()
    assert trade_kill.carry_out(settings, session_id) is True
    assert open_there(settings) == []


def test_an_account_without_keys_keeps_no_other_from_being_cleared(
    market: tuple[Any, Settings],
) -> None:
    _, settings = market
    first = start(settings, HOLDS)
    second = start(settings, {**HOLDS, "name": "other", "instruments": [OTHER]})
    with transaction(settings) as connection:
        connection.execute(
            text("UPDATE ops.session SET money = 'live' WHERE session_id = :one"), {"one": first}
        )
    number = rest(settings, second, OTHER)
    commands.set_all(settings, admin(settings), flatten=False, why=None)

    def keys(money: str) -> Broker:
        if money == "live":
            raise ValueError("expected keys of a live account of Alpaca")
        return opened(settings)(money)

    journal = Journal(settings)
    [latch] = journal.latches()
    done = asyncio.run(kill.carry_out(settings, latch, journal.meant(latch), keys, 20.0))
    assert done is not None
    assert done.cancelled == [number]
    assert open_there(settings) == []
    assert not done.is_done
    assert "the live account: expected keys" in done.sentence()


def test_the_thread_that_kills_outlives_what_fails_and_tells_it(
    market: tuple[Any, Settings],
) -> None:
    _, settings = market
    session_id = start(settings, HOLDS)
    number = rest(settings, session_id)
    pull(settings, session_id, flatten=False)
    tries: list[int] = []

    def broken(money: str) -> Broker:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("expected keys")
        if len(tries) == 2:
            raise ZeroDivisionError
        return opened(settings)(money)

    killing = Killing(settings, broken)
    until_s = time.monotonic() + 30
    while number in open_there(settings):
        assert time.monotonic() < until_s
        killing.look()
        time.sleep(0.1)
    assert len(tries) == 3
    with transaction(settings) as connection:
        alerts = list(connection.execute(text("SELECT level, body FROM ops.alert_outbox")))
    assert {one.level for one in alerts} == {"critical"}
    assert "not carried out wholly" in str(alerts)
    finished(settings)


def finished(settings: Settings) -> None:
    """Wait until every switch has its report: the next test has the same numbers of switches."""
    until_s = time.monotonic() + 20
    while any(one.report is None for one in Journal(settings).latches()) or threads():
        assert time.monotonic() < until_s
        time.sleep(0.05)


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("kill-")]


def test_a_switch_whose_broker_is_away_holds_up_no_other(
    market: tuple[Any, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill, "PATIENCE_S", 4.0)
    server, settings = market
    first = start(settings, HOLDS)
    second = start(settings, {**HOLDS, "name": "other", "instruments": [OTHER]})
    number = rest(settings, second, OTHER)
    pull(settings, first)
    calls: list[int] = []

    def broker(money: str) -> Broker:
        calls.append(1)
        if len(calls) == 1:  # of the first switch: an address where nobody lives
            away = settings.model_copy(update={"replay_url": "http://127.0.0.1:9"})
            return open_broker(away, ReplayClock(server.url), answer_s=2.0)
        return opened(settings)(money)

    killing = Killing(settings, broker)
    killing.look()
    until_s = time.monotonic() + 10
    while not calls:
        assert time.monotonic() < until_s
        time.sleep(0.01)
    pull(settings, second, flatten=False)
    killing.look()
    until_s = time.monotonic() + 3
    while number in open_there(settings):
        assert time.monotonic() < until_s
        time.sleep(0.05)
    finished(settings)


def test_a_second_kill_that_asks_for_more_is_carried_out(market: tuple[Any, Settings]) -> None:
    _, settings = market
    session_id = start(settings, HOLDS)
    buy(settings, session_id, 2.0)
    pull(settings, session_id, flatten=False)
    assert carried_out(settings).is_done
    assert held(settings) == {STOCK: 2.0}
    pull(settings, session_id, flatten=True)
    assert carried_out(settings).is_done
    assert held(settings) == {}


def test_an_order_that_leaves_while_the_switch_is_carried_out_is_seen_by_the_second_look(
    market: tuple[Any, Settings],
) -> None:
    _, settings = market
    session_id = start(settings, HOLDS)
    rest(settings, session_id)
    pull(settings, session_id, flatten=False)

    async def late() -> kill.Killed | None:
        journal = Journal(settings)
        [latch] = journal.latches()
        carrying = asyncio.create_task(
            kill.carry_out(settings, latch, journal.meant(latch), opened(settings), 20.0)
        )
        broker = opened(settings)("paper")
        while await broker.open_orders():
            await asyncio.sleep(0.02)
        number = f"{prefix_of(session_id)}-l-late"
        await broker.submit(OrderRequest(number, STOCK, "buy", 1.0, "limit", limit_price=1.0))
        await broker.stop()
        return await carrying

    done = asyncio.run(late())
    assert done is not None
    assert len(done.cancelled) == 2
    assert open_there(settings) == []

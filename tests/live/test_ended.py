"""Sessions that have ended and left something at their broker: killed, or cleared as they end."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
import requests
from sqlalchemy import text

from live.journal import Journal
from mela.errors import Conflict
from mela.settings import Settings
from replay.faults import Fault
from services.trading import commands
from tests.live.at_broker import (
    COIN,
    ETHER,
    HEADERS,
    HOLDS,
    OPEN_MARKET,
    ORDERS,
    OTHER,
    QUIET,
    STOCK,
    admin,
    at_broker,
    buy,
    carried_out,
    fail,
    held,
    open_there,
    pull,
    rest,
    sold,
)
from tests.live.played import FROM, on, order, running, start, until
from tests.live.test_restart import ALPACA
from warehouse.database import transaction
from warehouse.trading import commands as stored_commands

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_a_session_that_has_ended_is_killed_as_others_are(
    market: tuple[Any, Settings], state: str
) -> None:
    server, settings = market
    session_id = start(settings, HOLDS)
    buy(settings, session_id, 3.0)
    book(settings, session_id, 2.0)
    number = rest(settings, session_id)
    fail(settings, session_id, state)

    pull(settings, session_id)
    done = carried_out(settings)

    assert done.is_done, done.sentence()
    assert done.cancelled == [number]
    assert open_there(settings) == []
    assert held(settings) == {STOCK: 1.0}  # its record has two, and no more is its own
    with transaction(settings) as connection:
        [asked] = stored_commands.newest(connection, session_id, 1)
    assert asked.outcome == "done"
    assert "1 orders cancelled" in str(asked.answer)

    pull(settings, session_id)
    assert carried_out(settings).is_done
    assert held(settings) == {STOCK: 1.0}
    assert [one[1] for one in sold(server)] == ["2"]


def book(settings: Settings, session_id: UUID, units: float) -> None:
    """Let a session's record have bought so much, under the broker's own names."""
    answer = requests.get(
        f"{settings.replay_url}/alpaca/v2/account/activities/FILL", headers=HEADERS, timeout=10
    )
    at_broker_id = at_broker(settings, lambda broker: broker.fills(0))[0].fill_id
    assert answer.json()
    with transaction(settings) as connection:
        connection.execute(
            text(
                "INSERT INTO ops.session_fill (session_id, fill_id, client_order_id, instrument,"
                " side, units, price, fee, filled_at, seq)"
                " VALUES (:me, :fill, 'x', :what, 'buy', :units, 100, 0, :at, 1)"
            ),
            {
                "me": session_id,
                "fill": at_broker_id,
                "what": STOCK,
                "units": units,
                "at": OPEN_MARKET,
            },
        )


def test_a_kill_of_all_clears_what_failed_and_leaves_what_was_stopped_or_is_another_ones(
    market: tuple[Any, Settings],
) -> None:
    _, settings = market
    failed = start(settings, HOLDS)
    buy(settings, failed, 2.0)
    book(settings, failed, 2.0)
    number = rest(settings, failed)
    fail(settings, failed)
    stopped = start(settings, {**HOLDS, "name": "other", "instruments": [OTHER]})
    buy(settings, stopped, 1.0, OTHER)
    fail(settings, stopped, "stopped")
    commands.set_all(settings, admin(settings), flatten=True, why=None)

    done = carried_out(settings)

    assert done.is_done, done.sentence()
    assert done.cancelled == [number]
    assert held(settings) == {OTHER: 1.0}


def test_a_paper_session_that_has_ended_has_nothing_to_kill(
    warehouse: Settings, replay: Any
) -> None:
    settings = on(warehouse, replay())
    paper = {**HOLDS, "instruments": ["binance:BTCUSDT"], "broker": {"kind": "paper"}}
    session_id = start(settings, paper)
    fail(settings, session_id)
    with pytest.raises(Conflict, match="has ended"):
        pull(settings, session_id)


def test_a_session_that_fails_cancels_what_rests_and_says_what_it_could_not(
    market: tuple[Any, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker has more than the session knows of: it does not go on."""
    server, settings = market
    monkeypatch.setattr("live.process.END_PATIENCE_S", 3.0)
    order(server, "play", **{"from": FROM, "speed": 600})

    async def begin(session_id: UUID) -> None:
        async with running(settings) as process:
            known = process.runners
            await until(lambda: session_id in known and known[session_id].is_listening)

    async def live(session_id: UUID) -> None:
        async with running(settings):
            await until(lambda: Journal(settings).session(session_id).has_ended)
            why = lambda: Journal(settings).session(session_id).why or ""  # noqa: E731
            await until(lambda: not open_now(server) or "may still work" in why())

    first = start(settings, {**ALPACA, "strategy": QUIET})
    asyncio.run(begin(first))
    rest(settings, first, COIN)
    buy(settings, first, 1.0, COIN)
    asyncio.run(live(first))
    assert open_there(settings) == []
    assert held(settings) == {COIN: 1.0}  # what it holds is not sold by itself

    second = start(settings, {**ALPACA, "name": "other", "strategy": QUIET, "instruments": [ETHER]})
    asyncio.run(begin(second))
    number = rest(settings, second, ETHER)
    server.faults.add(Fault(f"{ORDERS}/*", 403, method="DELETE", times=10_000))
    asyncio.run(live(second))
    assert open_there(settings) == [number]
    one = Journal(settings).session(second)
    assert "mela trade kill other" in (one.why or "")
    with transaction(settings) as connection:
        alerts = list(connection.execute(text("SELECT body FROM ops.alert_outbox")))
    assert "may still work" in str(alerts)


def open_now(server: Any) -> list[Any]:
    return requests.get(f"{server.url}{ORDERS}", headers=HEADERS, timeout=10).json()

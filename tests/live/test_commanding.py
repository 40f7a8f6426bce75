"""live.commanding: what one session waits for holds up no other session, and not the loop."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from live import commanding
from mela.settings import Settings
from replay.faults import Fault
from services.trading import commands, rows, sessions
from services.trading.callers import at_this_machine
from tests.live.played import FROM, PAPER, on, order, running, start, until
from tests.live.test_restart import ALPACA
from warehouse.database import transaction
from warehouse.trading.commands import newest
from warehouse.trading.log import last
from warehouse.trading.sessions import under_way

pytestmark = pytest.mark.integration
TRADING = "/alpaca/v2/"


def away(server: Any, path: str = TRADING) -> None:
    """Let Alpaca's trading endpoints answer nothing but 503 from now on."""
    server.faults.add(Fault(path, 503, times=1_000_000))


def played(warehouse: Settings, replay: Any) -> tuple[Any, Settings]:
    server = replay()
    order(server, "play", **{"from": FROM, "speed": 600})
    return server, on(warehouse, server)


def state(settings: Settings, session_id: UUID) -> str:
    return sessions.get_session(settings, at_this_machine(settings, "ann"), session_id).row.state


def answers(settings: Settings, session_id: UUID) -> dict[str, tuple[str | None, str | None]]:
    with transaction(settings) as connection:
        return {
            one.kind: (one.outcome, one.answer) for one in newest(connection, session_id, most=50)
        }


def ask(settings: Settings, session_id: UUID, kind: str) -> None:
    commands.ask(settings, at_this_machine(settings, "ann"), session_id, kind)


def test_a_session_whose_broker_is_away_takes_commands_and_holds_up_no_other(
    warehouse: Settings, replay: Any
) -> None:
    server, settings = played(warehouse, replay)
    away(server)
    waits, trades = start(settings, ALPACA), start(settings, PAPER)

    async def live() -> None:
        async with running(settings) as process:
            await until(lambda: len(process.runners) == 2)
            await until(lambda: all(one.has_begun for one in process.runners.values()))
            ask(settings, waits, "pause")
            await until(lambda: "pause" in answers(settings, waits))
            ask(settings, trades, "pause")
            await until(lambda: state(settings, trades) == "paused", 5)
            await until(lambda: state(settings, waits) == "paused", 5)
            late = start(settings, {**PAPER, "name": "third"})
            await until(lambda: late in process.runners, 5)
            ask(settings, waits, "stop")
            await until(lambda: state(settings, waits) == "stopped", 5)
            await until(lambda: answers(settings, waits)["stop"][0] is not None, 5)

    asyncio.run(live())
    assert answers(settings, waits)["pause"][0] == "done"
    assert answers(settings, waits)["stop"][0] == "done"


def test_a_release_that_the_broker_does_not_answer_is_refused_and_holds_up_no_other(
    warehouse: Settings, replay: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commanding, "COMPARE_S", 1.0)
    server, settings = played(warehouse, replay)
    waits, trades = start(settings, ALPACA), start(settings, PAPER)
    ann = at_this_machine(settings, "ann")
    risk = lambda: sessions.get_session(settings, ann, waits).row.risk_state  # noqa: E731

    async def live() -> None:
        async with running(settings) as process:
            await until(lambda: len([o for o in process.runners.values() if o.is_listening]) == 2)
            commands.kill(settings, ann, waits, confirm="second", flatten=False)
            await until(lambda: risk() == "halted")
            away(server)
            ask(settings, waits, "release")
            ask(settings, trades, "pause")
            await until(lambda: state(settings, trades) == "paused", 5)
            await until(lambda: answers(settings, waits)["release"][0] == "refused", 5)
            assert risk() == "halted"
            server.faults.clear()
            ask(settings, waits, "release")
            await until(lambda: risk() == "active")

    asyncio.run(live())
    assert "did not say" in str(
        [one.answer for one in _all(settings, waits) if one.outcome == "refused"]
    )


def _all(settings: Settings, session_id: UUID) -> list[Any]:
    with transaction(settings) as connection:
        return newest(connection, session_id, most=50)


def test_a_command_returns_where_its_session_is_interrupted_and_the_next_life_takes_it(
    warehouse: Settings, replay: Any
) -> None:
    _, settings = played(warehouse, replay)
    session_id = start(settings, PAPER)

    async def live() -> None:
        async with running(settings) as process:
            await until(lambda: any(one.is_listening for one in process.runners.values()))
            runner = process.runners[session_id]
            waiting = asyncio.create_task(runner.command("pause", "ann", ""))
            await asyncio.sleep(0)
            process._tasks[session_id].cancel()  # pyright: ignore[reportPrivateUsage]
            assert await asyncio.wait_for(waiting, 5) is False

            await until(lambda: process.runners.get(session_id) not in (None, runner))
            ask(settings, session_id, "pause")
            await until(lambda: state(settings, session_id) == "paused")

    asyncio.run(live())


def test_a_stop_of_a_session_that_is_read_from_its_log_does_not_forget_the_log(
    warehouse: Settings, replay: Any
) -> None:
    """A session that has traded is not `stopped before its first candle` while it is loaded."""
    _, settings = played(warehouse, replay)
    session_id = start(settings, PAPER)
    ann = at_this_machine(settings, "ann")

    async def live() -> None:
        async with running(settings):
            await until(lambda: bool(rows.orders(settings, ann, session_id, limit=10).items))

    asyncio.run(live())
    with transaction(settings) as connection:
        assert last(connection, session_id) > 0
    ask(settings, session_id, "stop")

    async def again() -> None:
        async with running(settings):
            await until(lambda: answers(settings, session_id)["stop"][0] is not None)

    asyncio.run(again())
    assert state(settings, session_id) == "stopped"
    assert answers(settings, session_id)["stop"] == ("done", "the session took stop")


def test_a_command_to_a_session_that_ended_meanwhile_is_answered(
    warehouse: Settings, replay: Any
) -> None:
    _, settings = played(warehouse, replay)
    session_id = start(settings, PAPER)
    ask(settings, session_id, "pause")
    with transaction(settings) as connection:
        [one] = under_way(connection)

    async def live() -> None:
        async with running(settings) as process:
            process.outside.journal.fail(one, "for the test")
            await until(lambda: answers(settings, session_id)["pause"][0] == "refused")

    asyncio.run(live())
    assert "has ended" in str(answers(settings, session_id)["pause"][1])

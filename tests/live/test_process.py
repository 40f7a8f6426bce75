"""live.process: sessions on a real Postgres, fed by a replay over real websockets."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cli.trading import trade_kill
from mela.settings import Settings
from services.trading import commands, rows, sessions
from services.trading.callers import at_this_machine
from tests.live.played import FROM, PAPER, on, order, running, start, until
from warehouse.database import transaction

pytestmark = pytest.mark.integration


def test_a_paper_session_trades_what_the_replay_plays(warehouse: Settings, replay) -> None:
    server = replay()
    order(server, "play", **{"from": FROM, "speed": 600})
    settings = on(warehouse, server)
    session_id = start(settings, PAPER)
    ann = at_this_machine(settings, "ann")

    async def trade() -> None:
        async with running(settings):
            seen = lambda: sessions.get_session(settings, ann, session_id).row  # noqa: E731
            await until(lambda: seen().trades >= 2)
            commands.ask(settings, ann, session_id, "stop")
            await until(lambda: seen().state == "stopped")

    asyncio.run(trade())

    found = sessions.get_session(settings, ann, session_id)
    assert found.row.state == "stopped"
    assert found.commands[0].outcome == "done"
    trades = rows.trades(settings, ann, session_id).items
    assert len(trades) >= 2
    log = rows.log(settings, ann, session_id, limit=1000).items
    assert [one.seq for one in log] == list(range(len(log), 0, -1))
    equity = rows.equity(settings, ann, session_id)
    steps = {later - first for first, later in zip(equity.t, equity.t[1:], strict=False)}
    assert steps == {60_000}


def test_a_kill_returns_once_the_session_is_halted_and_says_where_none_is(
    warehouse: Settings, replay, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = replay()
    order(server, "play", **{"from": FROM, "speed": 600})
    settings = on(warehouse, server)
    session_id = start(settings, PAPER)
    ann = at_this_machine(settings, "ann")

    async def killed() -> str:
        async with running(settings) as process:
            await until(lambda: any(one.has_begun for one in process.runners.values()))
            commands.kill(settings, ann, session_id, confirm="first", flatten=False)
            await asyncio.to_thread(trade_kill.await_halts, settings, session_id)
            return sessions.get_session(settings, ann, session_id).row.risk_state

    assert asyncio.run(killed()) == "halted"
    assert "first is halted" in capsys.readouterr().err

    monkeypatch.setattr(trade_kill, "HALT_S", 0.3)
    second = start(settings, {**PAPER, "name": "second"})
    commands.kill(settings, ann, second, confirm="second", flatten=False)
    trade_kill.await_halts(settings, second)
    assert "second has NOT SAID that it is halted" in capsys.readouterr().err


def test_it_ends_where_postgres_ends_its_connections_though_more_runs_beside(
    warehouse: Settings, replay
) -> None:
    settings = on(warehouse, replay())

    async def beside(*given: object) -> None:
        stop = given[-1]
        assert isinstance(stop, asyncio.Event)
        await stop.wait()

    def end_all() -> None:
        with transaction(warehouse) as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    async def lose() -> None:
        async with asyncio.timeout(30), running(settings, beside=beside) as process:
            over = asyncio.create_task(process.stopped())
            while not over.done():  # its connection may not be there at first
                end_all()
                await asyncio.wait([over], timeout=0.3)

    with pytest.raises(DBAPIError):
        asyncio.run(lose())

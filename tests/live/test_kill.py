"""live.kill: the kill switch at a broker, while the process that trades stands still."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from live import kill
from live.brokers import open_broker
from live.clock import ReplayClock
from live.journal import Journal
from mela.settings import REPOSITORY, Settings
from services.trading import commands, rows, sessions
from services.trading.callers import at_this_machine
from tests.live.lives import plain
from tests.live.played import FROM, on, order, start
from tests.live.test_restart import ALPACA
from warehouse.database import transaction

pytestmark = pytest.mark.integration
TRADES = {**ALPACA, "strategy": {"name": "sma_cross", "params": {"fast": 2, "slow": 4}}}


class Trading:
    """The process that trades, as the stack starts it but without what runs beside it."""

    def __init__(self, settings: Settings) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.trading"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(plain(settings)) + "\n")
        self._process.stdin.flush()

    def hang(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def end(self) -> None:
        self.wake()
        self._process.terminate()
        self._process.communicate(timeout=60)


@pytest.fixture
def trading(warehouse: Settings, replay) -> Iterator[tuple[Settings, Any, Trading]]:
    server = replay()
    order(server, "play", **{"from": FROM, "speed": 600})
    settings = on(warehouse, server)
    process = Trading(settings)
    yield settings, server, process
    process.end()


def wait(holds, seconds: float = 90.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def asked(settings: Settings, act) -> Any:
    async def run() -> Any:
        broker = open_broker(settings, ReplayClock(settings.replay_url or ""))
        try:
            return await act(broker)
        finally:
            await broker.stop()

    return asyncio.run(run())


def carried_out(settings: Settings) -> kill.Killed | None:
    journal = Journal(settings)
    [latch] = journal.latches()

    def opened(_money: str) -> Any:
        return open_broker(settings, ReplayClock(settings.replay_url or ""))

    return asyncio.run(kill.carry_out(settings, latch, journal.under_way(), opened))


def test_the_kill_switch_clears_the_broker_while_the_process_hangs(trading) -> None:
    settings, server, process = trading
    ann = at_this_machine(settings, "ann")
    session_id = start(settings, TRADES)
    held = lambda: rows.positions(settings, ann, session_id).items  # noqa: E731
    wait(lambda: held())
    order(server, "trading", symbol="BTC/USDT", hold=True, times=1)
    wait(lambda: asked(settings, lambda broker: broker.open_orders()))
    process.hang()

    name = sessions.get_session(settings, ann, session_id).row.name
    commands.kill(settings, ann, session_id, confirm=name, flatten=True)
    done = carried_out(settings)

    assert done is not None
    assert done.is_done
    assert done.cancelled
    assert asked(settings, lambda broker: broker.open_orders()) == []
    assert asked(settings, lambda broker: broker.positions()) == []

    process.wake()
    row = lambda: sessions.get_session(settings, ann, session_id).row  # noqa: E731
    wait(lambda: row().risk_state == "halted")
    wait(lambda: row().positions == 0 and row().open_orders == 0)
    assert row().state == "running"
    given = len(rows.orders(settings, ann, session_id, limit=1000).items)
    seen_at = row().last_candle_at
    wait(lambda: row().last_candle_at > seen_at)
    assert len(rows.orders(settings, ann, session_id, limit=1000).items) == given
    assert asked(settings, lambda broker: broker.open_orders()) == []

    commands.ask(settings, ann, session_id, "release")
    wait(lambda: row().risk_state == "active")
    wait(lambda: len(rows.orders(settings, ann, session_id, limit=1000).items) > given)
    with transaction(settings) as connection:
        report = connection.scalar(text("SELECT report FROM ops.kill_latch"))
    assert json.loads(report)["left"] == []


def test_the_kill_switch_cancels_the_stop_that_rests_before_it_flattens(trading) -> None:
    settings, _, process = trading
    ann = at_this_machine(settings, "ann")
    session_id = start(settings, {**TRADES, "exits": {"stop_loss": 0.5}})
    there = lambda: asked(settings, lambda broker: broker.open_orders())  # noqa: E731
    wait(lambda: [one for one in there() if "-s-" in one.client_order_id])
    process.hang()

    name = sessions.get_session(settings, ann, session_id).row.name
    commands.kill(settings, ann, session_id, confirm=name, flatten=True)
    done = carried_out(settings)

    assert done is not None
    assert done.is_done
    assert [one for one in done.cancelled if "-s-" in one]
    assert asked(settings, lambda broker: broker.positions()) == []

    process.wake()
    row = lambda: sessions.get_session(settings, ann, session_id).row  # noqa: E731
    wait(lambda: row().risk_state == "halted" and row().positions == row().open_orders == 0)
    assert there() == []
    stops = [
        one
        for one in rows.orders(settings, ann, session_id, limit=1000).items
        if one.leg == "stop" and one.state not in ("cancelled", "filled")
    ]
    assert stops == []

"""A process that trades ends within seconds of TERM, whatever its feeds and its Kafka do."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from live.ending import END_S, LAST_S, SESSIONS_S
from live.feed_hub import FeedHub
from mela.settings import REPOSITORY, Settings
from tests.live.played import FROM, PAPER, on, order, running, start, until
from warehouse.database import transaction

SLACK_S = 1.5  # a busy machine's, and the start of a thread's or an interpreter's end
MANY = {
    **PAPER,
    "instruments": ["binance:BTCUSDT", "binance:ETHUSDT"],
    "strategy": {"name": "buy_and_hold"},
}


@contextmanager
def deaf() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def process(settings: Settings, kafka: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m live` on this store, this replay and this Kafka."""
    postgres = settings.postgres
    env = {
        **os.environ,
        "MELA_HOME": str(settings.home),
        "MELA_REPLAY_URL": settings.replay_url or "",
        "MELA_KAFKA__BROKERS": kafka,
        "MELA_POSTGRES__HOST": postgres.host,
        "MELA_POSTGRES__PORT": str(postgres.port),
        "MELA_POSTGRES__USER": postgres.user,
        "MELA_POSTGRES__PASSWORD": postgres.password.get_secret_value(),
        "MELA_POSTGRES__DATABASE": postgres.database,
    }
    with log.open("wb") as told:
        started = subprocess.Popen(
            [sys.executable, "-m", "live"], cwd=REPOSITORY, env=env, stdout=told, stderr=told
        )
        try:
            yield started
        finally:
            started.kill()
            started.wait()


def valued(settings: Settings) -> int:
    with transaction(settings) as connection:
        return connection.execute(text("SELECT count(*) FROM ops.session_equity")).scalar_one()


@pytest.mark.integration
def test_it_ends_within_seconds_while_candles_come_and_kafka_is_deaf(
    warehouse: Settings, replay: Any, tmp_path: Path
) -> None:
    """What waits for Kafka waits a minute: the end does not."""
    server = replay()
    settings = on(warehouse, server)
    start(settings, MANY)
    order(server, "play", **{"from": FROM, "speed": 60})
    with deaf() as kafka, process(settings, kafka, tmp_path / "live.log") as live:
        asyncio.run(until(lambda: valued(settings) >= 2, 120))
        order(server, "play", speed=1000)
        asyncio.run(until(lambda: valued(settings) >= 40, 60))

        live.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        status = live.wait(timeout=60)

    assert time.monotonic() - begun < END_S + SLACK_S
    assert status == 0, (tmp_path / "live.log").read_text()


class Stubborn:
    """A feed that says nothing and does not close."""

    async def candles(self) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield

    async def fetch(self, *_: Any) -> list[Any]:
        return await asyncio.Event().wait() or []

    async def stop(self) -> None:
        while True:
            await asyncio.sleep(60)


@pytest.mark.integration
def test_it_leaves_behind_what_does_not_end(
    warehouse: Settings, replay: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feed that does not close, and work beside the sessions that does not either."""
    monkeypatch.setattr(
        "tests.live.played.FeedHub",
        lambda settings, clock, _: FeedHub(settings, clock, lambda *_: Stubborn()),
    )
    server = replay()
    settings = on(warehouse, server)
    start(settings, PAPER)

    async def beside(*_: object) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(30)

    async def live() -> float:
        order(server, "play", **{"from": FROM, "speed": 600})
        async with running(settings, beside=beside) as process:
            await until(lambda: any(one.is_listening for one in process.runners.values()))
            begun = time.monotonic()
        return time.monotonic() - begun

    with asyncio.Runner() as runner:
        took_s = runner.run(asyncio.wait_for(live(), 60))
        for task in asyncio.all_tasks(runner.get_loop()):
            task.cancel()  # the stubborn, which one cancelling does not end
    assert took_s < 2 * SESSIONS_S + 2 * LAST_S + SLACK_S


HUNG = """
import asyncio, sys, time
from live.ending import end_on_signals

async def hang():
    end_on_signals(lambda: None)
    print("ready", flush=True)
    time.sleep(600)

asyncio.run(hang())
"""


def test_it_ends_even_where_its_loop_hangs() -> None:
    """The loop never hears of the signal; what each thread did is told."""
    with subprocess.Popen(
        [sys.executable, "-c", HUNG], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as hung:
        assert hung.stdout is not None
        assert hung.stdout.readline() == b"ready\n"

        hung.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        _, told = hung.communicate(timeout=60)

    assert END_S - 0.5 < time.monotonic() - begun < END_S + SLACK_S
    assert hung.returncode == 1
    assert b"in hang" in told

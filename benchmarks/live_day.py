"""A day of 50 instruments at 1000 times its speed, and a process that is killed and begins anew.

Everything is real: `mela replay` serves made-up candles over a websocket, `python -m live` trades
them, a Postgres of its own stores what it does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import numpy as np
import psutil
import requests
from sqlalchemy import text

from benchmarks.live_candles import BEGINS_MS, names, session_document, write_market
from benchmarks.rows import Row, row
from mela.errors import MelaError
from mela.interval import DAY_MS, MINUTE_MS
from mela.settings import REPOSITORY, Settings
from replay.server import create_server
from services.trading import sessions
from services.trading.callers import at_this_machine
from warehouse.database import transaction

INSTRUMENTS, SPEED = 50, 1_000
SLOW = 30  # while the session begins, which takes some seconds of this machine
LEAD_MINUTES = 240  # before the day, for the warm-up and until the session has begun
DAY_MINUTES = DAY_MS // MINUTE_MS
MOST_GROWTH, MOST_RESTART_S = 0.05, 5.0
BEGIN_S, PATIENCE_S, AGAIN_S = 90.0, 200.0, 60.0  # at most, for the start, the day and a restart
LOOK_S = 0.5
_COUNTED = text("""
    SELECT count(*) AS candles, count(DISTINCT account) AS accounts, min(opened_at) AS first,
           max(opened_at) AS last
    FROM ops.session_equity WHERE session_id = :session_id
""")
_ABSENT = text("""
    SELECT count(*) FROM ops.session_event
    WHERE session_id = :session_id AND kind = 'CandleAbsent'
""")
_HELD = text(
    "SELECT count(*) FROM ops.session_position WHERE session_id = :session_id AND units > 0"
)
_LAST = text("SELECT coalesce(max(seq), 0) FROM ops.session_event WHERE session_id = :session_id")
_KINDS_SINCE = text("""
    SELECT count(*) FROM ops.session_event
    WHERE session_id = :session_id AND seq > :seq AND kind = 'Valued'
""")


def measure(settings: Settings) -> list[Row]:
    """Measure both on a migrated Postgres whose sessions have all ended."""
    with TemporaryDirectory(prefix="mela-bench-market-") as folder:
        write_market(Path(folder), INSTRUMENTS, LEAD_MINUTES + 2 * DAY_MINUTES)
        with create_server(Path(folder)) as server:
            of = settings.model_copy(update={"replay_url": server.url})
            session_id = _begun(of, server.url)
            with live_process(of) as process:
                _wait(lambda: _counted(of, session_id)["accounts"] == INSTRUMENTS, BEGIN_S)
                _play(server.url, {"speed": SPEED})
                sizes = _watched(of, session_id, psutil.Process(process.pid))
                day = _day(of, session_id, sizes)
                held = _one(of, _HELD, session_id)
                process.send_signal(signal.SIGKILL)
                process.wait()
            begun = time.monotonic()
            seq = _one(of, _LAST, session_id)
            with live_process(of):
                _wait(lambda: _one(of, _KINDS_SINCE, session_id, seq=seq) > 0, AGAIN_S)
                took_s = time.monotonic() - begun
    return [*day, _restart(took_s, held)]


def _begun(settings: Settings, url: str) -> UUID:
    """Ask for the session, and let the market run."""
    document = session_document(names(INSTRUMENTS), strategy={"name": "buy_and_hold"})
    document |= {"feed": {"kind": "replay"}, "exits": {"stop_loss": 0.02}}
    caller = at_this_machine(settings, "bench")
    session_id = sessions.start(settings, caller, document, confirm=None).session_id
    begins = datetime.fromtimestamp((BEGINS_MS + 120 * MINUTE_MS) / 1000, UTC)
    _play(url, {"from": begins.isoformat(), "speed": SLOW})
    return session_id


def _play(url: str, asked: dict[str, Any]) -> None:
    requests.post(f"{url}/replay/play", json=asked, timeout=10).raise_for_status()


@contextmanager
def live_process(settings: Settings) -> Generator[subprocess.Popen[bytes]]:
    """Run `python -m live` on a store and a replay, until the block ends."""
    postgres = settings.postgres
    env = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "MELA_HOME": str(settings.home),
        "MELA_KAFKA__BROKERS": "127.0.0.1:9",  # none: not that of a stack which may run here
        "MELA_REPLAY_URL": settings.replay_url or "",
        "MELA_POSTGRES__HOST": postgres.host,
        "MELA_POSTGRES__PORT": str(postgres.port),
        "MELA_POSTGRES__USER": postgres.user,
        "MELA_POSTGRES__PASSWORD": postgres.password.get_secret_value(),
        "MELA_POSTGRES__DATABASE": postgres.database,
    }
    log = (settings.home / "live-bench.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "live"], cwd=REPOSITORY, env=env, stdout=log, stderr=log
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)
        log.close()


def _watched(settings: Settings, session_id: UUID, process: psutil.Process) -> np.ndarray:
    """Return the megabytes of the process, one value each half second, until the day is over.

    On a machine that is too slow it does not wait for all of it: what is left counts as missed.
    """
    sizes: list[float] = []
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        sizes.append(process.memory_info().rss / 1e6)
        counted = _counted(settings, session_id)
        if counted["candles"] >= INSTRUMENTS * DAY_MINUTES:
            break
        time.sleep(LOOK_S)
    return np.array(sizes)


def _day(settings: Settings, session_id: UUID, sizes: np.ndarray) -> list[Row]:
    counted = _counted(settings, session_id)
    minutes = int((counted["last"] - counted["first"]).total_seconds()) // 60 + 1
    # accounts may stand a minute apart at the instant of the count: the last minute is not counted
    expected = max((minutes - 1) * counted["accounts"], INSTRUMENTS * DAY_MINUTES)
    missed = max(expected - counted["candles"], 0) + _one(settings, _ABSENT, session_id)
    quarter = len(sizes) // 4
    before, after = np.median(sizes[quarter : 2 * quarter]), np.median(sizes[-quarter:])
    growth = float(after / before - 1)
    took_s = len(sizes) * LOOK_S
    return [
        row(
            "live.day_missed",
            [float(missed)],
            "candles",
            "lower",
            minimum=0.0,
            note=f"of {expected:,} candles: {INSTRUMENTS} instruments of 1m, a day at {SPEED}× "
            f"over a websocket, decided on and committed in about {took_s:.0f} s",
        ),
        row(
            "live.day_memory",
            [growth * 100],
            "%",
            "lower",
            minimum=MOST_GROWTH * 100,
            note=f"growth from the second quarter of the day ({before:.0f} MB) to its last "
            f"({after:.0f} MB)",
        ),
    ]


def _restart(took_s: float, held: int) -> Row:
    return row(
        "live.restart",
        [took_s],
        "s",
        "lower",
        minimum=MOST_RESTART_S,
        note=f"from kill -9 with {held} positions to the next candle that is decided on and stored",
    )


def _counted(settings: Settings, session_id: UUID) -> Any:
    with transaction(settings) as connection:
        return connection.execute(_COUNTED, {"session_id": session_id}).mappings().one()


def _one(settings: Settings, query: Any, session_id: UUID, **more: int) -> int:
    with transaction(settings) as connection:
        return connection.execute(query, {"session_id": session_id, **more}).scalar_one()


def _wait(holds: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise MelaError(f"expected it within {seconds:.0f} s; live-bench.log says more")
        time.sleep(0.02)

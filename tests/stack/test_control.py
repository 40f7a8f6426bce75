"""Kill, stop and start a small stack of its own: real Postgres and real Kafka."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
from confluent_kafka import Consumer, Producer

import stack
from mela.settings import Settings
from stack import database
from stack.sweep import processes

pytestmark = pytest.mark.integration
PART = {"postgres", "kafka"}
PATIENCE_S = 45


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    # Not tmp_path: as root, Postgres runs under an account that may not pass pytest's folder.
    folder = Path(tempfile.mkdtemp(prefix="mela-"))
    try:
        yield folder
    finally:
        stack.down(Settings(home=folder))
        shutil.rmtree(folder)


@pytest.fixture
def part(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith("MELA_")]:
        monkeypatch.delenv(name)
    return stack.up(Settings(home=home), only=PART)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account for Postgres")
def test_postgres_runs_where_its_account_cannot_reach_the_clone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "_reaches_bundle", lambda: False)
    home = Path(tempfile.mkdtemp(prefix="mela-")) / "made" / "on the way"
    home.parent.parent.chmod(0o711)
    settings = Settings(home=home)
    try:
        stack.up(settings, only={"postgres"})

        postmaster = psutil.Process(_pids(settings)["postgres"])
        assert Path(postmaster.exe()).is_relative_to(home)
        assert postmaster.uids().real != 0
    finally:
        stack.down(settings)
        shutil.rmtree(home.parent.parent)


def _pids(settings: Settings) -> dict[str, int]:
    return {one.name: one.pid for one in stack.status(settings) if one.healthy and one.pid}


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


def _query(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    to = settings.postgres
    connection = psycopg2.connect(
        host=to.host,
        port=to.port,
        dbname=to.database,
        user=to.user,
        password=to.password.get_secret_value(),
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
    connection.close()
    return rows


def _publish(settings: Settings, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka.brokers})
    producer.produce("mela.scenes", value)
    assert producer.flush(20) == 0


def _first_message(settings: Settings) -> bytes | None:
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka.brokers,
            "group.id": f"test-{time.time_ns()}",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe(["mela.scenes"])
    try:
        message = consumer.poll(PATIENCE_S)
        return message.value() if message else None
    finally:
        consumer.close()


def test_up_again_changes_nothing(part: Settings) -> None:
    before = _pids(part)

    again = stack.up(part, only=PART)

    assert set(before) == PART
    assert _pids(again) == before


def test_a_killed_service_is_started_again(part: Settings) -> None:
    before = _pids(part)
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def both_are_back() -> bool:
        now = _pids(part)
        return set(now) == PART and all(now[name] != before[name] for name in PART)

    _until(both_are_back)
    restarts = {one.name: one.restarts for one in stack.status(part) if one.name in PART}
    assert all(count >= 1 for count in restarts.values())


def test_only_loopback_is_listened_on(part: Settings) -> None:
    pids = {found.pid for found in processes(part.home)}
    sockets = [found for found in psutil.net_connections() if found.pid in pids]
    listening = [
        found.laddr.ip.removeprefix("::ffff:")
        for found in sockets
        if found.status == psutil.CONN_LISTEN or found.type == socket.SOCK_DGRAM
    ]

    assert len(listening) >= 3
    assert set(listening) == {"127.0.0.1"}


def test_passwords_are_asked_for(part: Settings) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(
            host="127.0.0.1", port=part.postgres.port, user="mela", dbname="mela", password="wrong"
        )


def test_roles_keep_to_their_own_database(part: Settings) -> None:
    (held,) = _query(part, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    (may,) = _query(part, "SELECT has_database_privilege('airflow', 'CONNECT')")

    assert held == (False,)
    assert may == (False,)


def test_up_after_the_supervisor_was_killed(part: Settings) -> None:
    orphans = {found.pid for found in processes(part.home)}
    os.kill(int((part.home / "run" / "supervisord.pid").read_text()), signal.SIGKILL)

    again = stack.up(part, only=PART)

    assert set(_pids(again)) == PART
    assert orphans.isdisjoint(found.pid for found in processes(part.home))
    assert (again.kafka.brokers, again.postgres.port) == (part.kafka.brokers, part.postgres.port)


def test_down_leaves_no_process_and_data_survive_even_a_stolen_port(part: Settings) -> None:
    _query(part, "CREATE TABLE kept AS SELECT 42 AS answer")
    _publish(part, b"kept")

    stack.down(part)

    assert processes(part.home) == []
    port = int(part.kafka.brokers.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        moved = stack.up(part, only=PART)
    assert moved.kafka.brokers != part.kafka.brokers
    assert moved.postgres.port == part.postgres.port
    assert _query(moved, "SELECT answer FROM kept") == [(42,)]
    assert _first_message(moved) == b"kept"

"""The watchdog on a real supervisor: what lives and does not beat is restarted, and said."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import SecretStr

from mela.settings import MonitorSettings, Settings
from stack import registry, watchdog
from stack.container import _end_if_it_hangs  # pyright: ignore[reportPrivateUsage]
from stack.lock import locked
from stack.ports import choose
from stack.service import Program, Service, Site, marked
from stack.supervision import Supervisor
from stack.sweep import sweep
from stack.usage import Usage
from stack.watching import Watchdog

pytestmark = pytest.mark.integration
BEAT = (  # one line, as supervisord's configuration holds it
    "import itertools, pathlib, sys, time; beat = pathlib.Path(sys.argv[1]).touch; "
    "[(beat(), time.sleep(0.1)) for _ in itertools.count()]"
)
HEARD: list[dict[str, Any]] = []


def heart(site: Site, needs: tuple[str, ...] = ()) -> Service:
    """A service that is healthy as long as it touches its file."""
    file = site.home / "beat"

    def probe(_: Site, __: int) -> str | None:
        is_fresh = file.exists() and time.time() - file.stat().st_mtime < 1
        return None if is_fresh else "it does not beat"

    return Service(
        name="heart",
        address=lambda _: "",
        program=lambda _: Program((sys.executable, "-c", BEAT, str(file)), marked(site)),
        probe=probe,
        needs=needs,
    )


@pytest.fixture
def webhook() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            HEARD.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    HEARD.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def beating(monkeypatch: pytest.MonkeyPatch, webhook: str) -> Iterator[Watchdog]:
    """A watchdog over one service that beats."""
    home = Path(tempfile.mkdtemp(prefix="mela-"))  # a socket's path is short
    settings = Settings(
        home=home,
        alert_webhook=SecretStr(webhook),
        monitor=MonitorSettings(restart_after_s=5, start_s=5),
    )
    site = Site(settings, {})
    one = heart(site)
    monkeypatch.setattr(registry, "services", lambda _kept: {one.name: one})
    supervisor = Supervisor(home)
    supervisor.start_daemon(site, {one.name: one.program(site)})
    try:
        supervisor.start(one.name)
        watch = Watchdog(settings)
        until(lambda: watch.look() or watch.memory["heart"].healthy_since)
        yield watch
    finally:
        supervisor.shutdown(20)
        sweep(home)
        shutil.rmtree(home)


def until(holds: Callable[[], Any], limit_s: float = 40) -> Any:
    give_up_at = time.monotonic() + limit_s
    while not (found := holds()):
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.5)
    return found


def pid_of(watch: Watchdog) -> int:
    return Supervisor(watch.usage.home).processes()["heart"].pid


def test_what_lives_without_beating_is_restarted_and_both_are_told(beating: Watchdog) -> None:
    before = pid_of(beating)
    os.kill(before, signal.SIGSTOP)
    until(lambda: beating.look() or beating.memory["heart"].restarts)
    until(lambda: beating.look() or not beating.memory["heart"].is_awaited)

    assert pid_of(beating) != before
    assert not psutil.pid_exists(before)
    until(lambda: len(HEARD) == 2)
    assert [one["event"] for one in HEARD] == ["service_restarted", "service_recovered"]
    assert HEARD[0]["service"] == "heart"
    assert HEARD[0]["missing"] == "it does not beat"
    assert HEARD[0]["unhealthy_s"] >= 5
    assert beating.memory["heart"].in_a_row == 1
    kept = watchdog.read(beating.usage.home)
    assert kept is not None
    assert kept.services == beating.memory


def test_nothing_is_restarted_while_up_or_down_is_at_work(beating: Watchdog) -> None:
    before = pid_of(beating)
    os.kill(before, signal.SIGSTOP)
    with locked(beating.usage.home / "run" / "up.lock", 0):
        ends_at = time.monotonic() + 9
        while time.monotonic() < ends_at:
            beating.look()
            time.sleep(0.5)
        assert pid_of(beating) == before
        assert beating.memory["heart"].restarts == 0
    until(lambda: beating.look() or beating.memory["heart"].restarts)


def test_a_probe_without_an_answer_is_no_health(
    beating: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    slow = Service(
        name="heart",
        address=lambda _: "",
        program=lambda _: Program(("true",)),
        probe=lambda _, __: released.wait(60) and None,
    )
    monkeypatch.setattr(registry, "services", lambda _kept: {"heart": slow})
    monkeypatch.setattr("stack.watching.PROBE_S", 0.5)
    began = time.monotonic()
    beating.look()
    released.set()
    assert time.monotonic() - began < 10
    assert "had no answer" in str(beating.memory["heart"].missing)


def test_what_a_service_uses_is_added_up(beating: Watchdog) -> None:
    used = Usage(beating.usage.home).look()
    assert set(used) == {"heart"}
    assert used["heart"].processes == 1
    assert used["heart"].memory_bytes > 2**20


@pytest.mark.parametrize("is_needed_away", [False, True])
def test_in_a_container_the_health_check_ends_what_hangs(
    tmp_path: Path, is_needed_away: bool
) -> None:
    postgres = Settings().postgres.model_copy(update={"host": "127.0.0.1", "port": choose(())})
    site = Site(
        Settings(
            home=tmp_path,
            postgres=postgres,
            monitor=MonitorSettings(restart_after_s=5, start_s=5),
        ),
        {},
    )
    service = heart(site, needs=("postgres",) if is_needed_away else ())
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        _end_if_it_hangs(site, service, program.pid, None)
        ends_at = time.monotonic() + 7
        while time.monotonic() < ends_at:
            _end_if_it_hangs(site, service, program.pid, "it does not beat")
            time.sleep(0.3)
        assert (program.poll() == -signal.SIGKILL) is not is_needed_away
        assert is_needed_away == (program.poll() is None)
        kept = watchdog.read(tmp_path / "run" / "health")
        assert kept is not None
        assert kept.services["heart"].restarts == (0 if is_needed_away else 1)
    finally:
        program.kill()
        program.wait()

"""A first start on a busy machine: services answer late, programs take long; faults are told."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mela.errors import MelaError, StackFailed
from mela.settings import Settings
from stack import health, http, oneshot
from stack.service import Program, Service, Site, marked
from stack.supervision import Supervisor
from stack.sweep import sweep
from warehouse import dbt_project

Answer = Callable[[BaseHTTPRequestHandler], None]


def status(code: int) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("Content-Length", "2")
        request.end_headers()
        request.wfile.write(b"{}")

    return answer


def late(request: BaseHTTPRequestHandler) -> None:
    time.sleep(1.5)
    status(200)(request)


class Slow:
    """A service that answers as told, one answer after the other, the last for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.asked = 0
        told = list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805
                self.asked += 1
                (told.pop(0) if len(told) > 1 else told[0])(handler)

            def log_message(handler, *_: object) -> None:  # noqa: N805
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def slow() -> Iterator[Callable[..., Slow]]:
    made: list[Slow] = []

    def make(*answers: Answer) -> Slow:
        made.append(Slow(*answers))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def site(home: Path) -> Site:
    return Site(Settings(home=home), {})


def asking(url: str, wait_s: float) -> Service:
    return Service(
        name="asking",
        address=lambda _: url,
        program=lambda _: Program(("true",)),
        probe=lambda _, __: None,
        finish=lambda _: http.ask("GET", url),
        wait_s=wait_s,
    )


def test_last_steps_are_repeated_until_a_busy_service_answers(
    slow: Callable[..., Slow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_ANSWER_S", 0.5)
    service = slow(status(503), late, status(500), status(200))

    health.finish(site(tmp_path), asking(service.url, 30.0))

    assert service.asked == 4


def test_a_service_that_has_just_started_is_given_longer_than_its_probe() -> None:
    assert http._ANSWER_S > http._PROBE_S  # pyright: ignore[reportPrivateUsage]


def test_a_refusal_is_told_at_once(slow: Callable[..., Slow], tmp_path: Path) -> None:
    service = slow(status(404))

    with pytest.raises(StackFailed, match="answered 404 Not Found"):
        health.finish(site(tmp_path), asking(service.url, 30.0))

    assert service.asked == 1


def test_a_service_that_stays_silent_is_given_up(slow: Callable[..., Slow], tmp_path: Path) -> None:
    service = slow(status(503))

    with pytest.raises(http.NoAnswer, match="answered 503"):
        health.finish(site(tmp_path), asking(service.url, 1.0))

    assert service.asked > 1


@pytest.mark.integration
def test_a_long_start_says_each_minute_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(tempfile.mkdtemp(prefix="mela-"))  # a socket's path is short
    here = site(home)
    ready = home / "ready"
    program = Program((sys.executable, "-c", "import time; time.sleep(60)"), marked(here))
    service = Service(
        name="sleeper",
        address=lambda _: "",
        program=lambda _: program,
        probe=lambda _, __: None if ready.exists() else "its file is not there",
    )
    monkeypatch.setattr(health, "_TELL_S", 0.5)
    told: list[str] = []

    def tell(sentence: str) -> None:
        told.append(sentence)
        if len(told) == 2:
            ready.touch()

    supervisor = Supervisor(home)
    supervisor.start_daemon(here, {service.name: program})
    try:
        supervisor.start(service.name)
        health.wait_healthy(here, supervisor, service, tell)
    finally:
        supervisor.shutdown(20.0)
        sweep(home)

    assert len(told) == 2
    assert told[0].startswith("still starting after ")
    assert told[0].endswith(" s: its file is not there")


def test_every_service_is_given_a_busy_machine_s_patience() -> None:
    from stack import cluster, registry

    for service in (*registry.services().values(), *cluster.services()):
        assert service.wait_s >= 900.0, service.name


def test_a_program_that_does_not_end_is_told_in_a_sentence(tmp_path: Path) -> None:
    sleeping = (sys.executable, "-c", "import time; time.sleep(60)")

    with pytest.raises(StackFailed, match=r"^it failed: it had not ended after 0 s\. If this"):
        oneshot.run(sleeping, "it failed", directory=tmp_path, patience_s=0.3)


def test_a_program_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    failing = (sys.executable, "-c", "import sys; sys.exit('no space left')")

    with pytest.raises(StackFailed, match="it failed: no space left"):
        oneshot.run(failing, "it failed", directory=tmp_path)


def test_dbt_that_does_not_end_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt_project, "_PARSE_S", 0.2)

    with pytest.raises(MelaError, match=r"dbt parse had not ended after 0\.2 s; its log is in"):
        dbt_project.manifest(Settings(home=tmp_path))

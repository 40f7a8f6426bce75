"""What hangs is named and restarted; what the monitor, `mela top` and `mela trace` say is true."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

import stack
from mela.messages import State
from mela.settings import REPOSITORY, MonitorSettings, Settings
from services.monitoring.all_metrics import EXPORTED
from stack import environment, watchdog
from stack.supervision import Supervisor
from stack.watching import Watchdog
from tests.conftest import MELA, typed
from tests.integration.asking import grid, publish, scene_of, send, stored_scene, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
STUCK = "MELA_MONITOR__STUCK_AFTER_S"
SOON = MonitorSettings(restart_after_s=5)


@contextmanager
def impatient(settings: Settings) -> Iterator[Watchdog]:
    """A watchdog that waits for five seconds only, in place of the one that runs."""
    supervisor = Supervisor(settings.home)
    supervisor.stop("monitor")
    try:
        yield Watchdog(settings.model_copy(update={"monitor": SOON}))
    finally:
        supervisor.start("monitor")
    wait_for(lambda: not missing("monitor", settings), 120, "the monitor came back")


def status_of(name: str, settings: Settings) -> stack.ServiceStatus:
    [found] = [one for one in stack.status(settings) if one.name == name]
    return found


def missing(name: str, settings: Settings) -> str | None:
    return status_of(name, settings).missing


def works(process: psutil.Process) -> bool:
    """Tell whether a process is one of Spark's Python workers; one may end meanwhile."""
    try:
        return "streaming.daemon" in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def stopped(processes: list[psutil.Process]) -> None:
    assert processes
    for process in processes:
        process.send_signal(signal.SIGSTOP)


def restarts(name: str, watch: Watchdog) -> int:
    """Look once, and return how often a service was restarted."""
    watch.look()
    return watch.memory[name].restarts


def test_a_service_that_hangs_is_restarted_and_becomes_healthy(platform: Settings) -> None:
    before = status_of("mlflow", platform)
    assert before.pid is not None
    with impatient(platform) as watch:
        assert restarts("mlflow", watch) == 0
        parent = psutil.Process(before.pid)
        stopped([parent, *parent.children(recursive=True)])
        wait_for(lambda: restarts("mlflow", watch), 120, "MLflow was restarted")
        wait_for(lambda: not missing("mlflow", platform), 180, "MLflow became healthy")
        wait_for(lambda: restarts("mlflow", watch), 30, "it was seen")
        assert not watch.memory["mlflow"].is_awaited, "the recovery was noticed"
        assert {name for name, one in watch.memory.items() if one.restarts} == {"mlflow"}
    after = status_of("mlflow", platform)
    assert after.pid != before.pid
    assert after.restarts == before.restarts + 1
    assert "restarted once by the watchdog" in str(after.note)
    assert "restarted once by the watchdog" in typed("status", home=platform.home).stderr


def test_a_query_that_hangs_is_named_and_its_scene_goes_on(platform: Settings) -> None:
    supervisor = Supervisor(platform.home)
    environment.update(platform.home, {STUCK: "15"})
    try:
        supervisor.stop("spark")  # the job reads its settings when it starts
        supervisor.start("spark")
        wait_for(lambda: not missing("spark", platform), 240, "the job was back")
        pid = status_of("spark", platform).pid
        assert pid is not None
        stopped([one for one in psutil.Process(pid).children(recursive=True) if works(one)])
        scene = scene_of()
        send(scene, platform)
        said = wait_for(lambda: missing("spark", platform), 120, "the job called itself unhealthy")
        assert said.startswith("the query run is stuck: 1 message waiting")
        assert said in typed("top", "--once", home=platform.home).stdout.replace("\n", " ")
    finally:
        environment.update(platform.home, {STUCK: None})
    with impatient(platform) as watch:
        wait_for(lambda: restarts("spark", watch), 120, "the job was restarted")
    wait_for(
        lambda: getattr(stored_scene(scene.scene_id, platform), "finished_at", None),
        300,
        "the scene ended",
    )
    wait_for(lambda: not missing("spark", platform), 120, "the job was well")


def test_one_scene_is_followed_through_the_log_of_the_job_and_through_its_stages(
    platform: Settings,
) -> None:
    scene = scene_of(search=grid(2, 150))
    assert publish(scene, platform).state is State.FINISHED

    log = (platform.home / "logs" / "spark.log").read_text(encoding="utf-8", errors="replace")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in log.splitlines()]
    ours = [line for line in lines if str(scene.scene_id) in line]
    events = [
        event
        for line in ours
        for event in ("scene_planned", "chunk_executed", "scene_recorded", "scene_finished")
        if event in line
    ]
    assert events[0] in {"scene_planned", "chunk_executed"}
    assert events[-1] == "scene_finished"
    assert events.count("chunk_executed") == 2  # in Spark's workers: 300 runs are two chunks
    assert events.count("scene_recorded") >= 1

    done = typed("trace", str(scene.scene_id), "--json", home=platform.home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(step["seconds"] is not None for step in found["steps"])
    assert sum(step["seconds"] for step in found["steps"]) == pytest.approx(found["seconds"])
    assert found["mlflow_s"] <= found["steps"][-1]["seconds"]
    shown = typed("trace", str(scene.scene_id), home=platform.home).stdout
    assert "waited in mela.scenes for the planner" in shown


def test_every_metric_is_served_on_loopback_and_counts_what_happened(platform: Settings) -> None:
    url = platform.monitor.metrics_url
    assert status_of("monitor", platform).address == url
    time.sleep(6)  # what the test before this one published is counted
    before = scraped(url)
    assert publish(scene_of(), platform).state is State.FINISHED
    time.sleep(6)  # two scrapes within five seconds share one measurement
    after = scraped(url)

    names = {name.partition("{")[0] for name in after}
    # Postgres estimates nothing before its first ANALYZE; no session runs, and no limit refused
    absent = {"mela_results", "mela_trading_candle_lag_seconds", "mela_trading_refusals"}
    assert names | absent == {name for one in EXPORTED for name in one.samples}
    assert all(after[f'mela_source_up{{"{name}"}}'] == 1 for name in ("kafka", "warehouse", "job"))
    for name in ('mela_scenes{"finished"}', 'mela_runs{"recorded"}'):
        assert after[name] == before[name] + 1
    for query in ("plan", "run", "record"):
        assert after[f'mela_query_messages_total{{"{query}"}}'] >= 1
        assert after[f'mela_query_batches_total{{"{query}"}}'] > 0
    took = sum(value for name, value in after.items() if name.startswith("mela_scrape_duration"))
    assert took < 2


def scraped(url: str) -> dict[str, float]:
    text = httpx.get(url, timeout=60).text
    return {
        sample.name + "".join(f'{{"{value}"}}' for value in list(sample.labels.values())[:1]): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_top_prints_one_frame(platform: Settings) -> None:
    done = typed("top", "--once", home=platform.home)
    assert done.returncode == 0, done.stderr
    for word in ("postgres", "monitor", "spark's workers", "MiB", "mela.scenes", "works"):
        assert word in done.stdout
    assert "\x1b" not in done.stdout


def test_ctrl_c_leaves_the_terminal_as_it_was(platform: Settings) -> None:
    given = {name: value for name, value in os.environ.items() if not name.startswith("MELA_")}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(MELA), "top"],
        cwd=REPOSITORY,
        env={**given, "MELA_HOME": str(platform.home), "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    try:
        seen += read_until(ours, b"mela.scenes", 60)
        process.send_signal(signal.SIGINT)
        seen += read_until(ours, None, 30)
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(ours)
    for on, off in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h")):
        assert seen.rfind(off) > seen.rfind(on) >= 0
    assert b"Traceback" not in seen


def read_until(terminal: int, word: bytes | None, timeout_s: float) -> bytes:
    """Read a terminal until a word came, or until its program has ended."""
    seen, give_up_at = b"", time.monotonic() + timeout_s
    while time.monotonic() < give_up_at and (word is None or word not in seen):
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            seen += os.read(terminal, 65_536)
        except OSError:  # its other end was closed
            return seen
    assert word is None or word in seen, seen[-2000:]
    return seen


def test_the_monitor_that_dies_forgets_nothing(platform: Settings) -> None:
    state = watchdog.read(platform.home)
    assert state is not None
    known = {name: one.restarts for name, one in state.services.items()}
    os.kill(state.pid, signal.SIGKILL)

    def looked_again() -> watchdog.State | None:
        now = watchdog.read(platform.home)
        return now if now and now.pid != state.pid else None

    after = wait_for(looked_again, 60, "the monitor looked again")
    assert {name: one.restarts for name, one in after.services.items()} == known
    assert set(known) >= {"postgres", "kafka", "spark", "mlflow"}

"""The health check of each container, asked of the service itself as `mela demo` left it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import stack
from mela.settings import Settings
from stack import account, database, environment
from tests.delivery.containers import Image, health_check, said, serving

# the first test of the platform waits for its demo
pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]


def test_every_health_check_passes_on_its_running_service(
    project: dict[str, Any], platform: Settings, image: Image, tmp_path: Path
) -> None:
    pids = {one.name: one.pid for one in stack.status(platform)}
    for name in set(serving(project)) - {"spark-master", "spark-worker"}:  # test_cluster.py's
        assert ask(name, pids[name], platform, image, tmp_path) == (0, "")
    for name in ("postgres", "kafka"):
        words = project["services"][name]["healthcheck"]["test"]
        done = said(*as_here(words, platform), cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr

    # and none of ours passes for another process than the one that serves
    status, sentence = ask("spark", os.getpid(), platform, image, tmp_path)
    assert (status, sentence) == (1, "spark: its queries have not started again yet\n")
    status, sentence = ask("airflow-scheduler", 2**22 + 1, platform, image, tmp_path)
    assert status == 1
    assert sentence.startswith("airflow-scheduler: ")


def ask(
    name: str, pid: int | None, platform: Settings, image: Image, folder: Path
) -> tuple[int, str]:
    """Ask as in a container: its own home, what it serves in run/, the job's word in spark/."""
    home = folder / f"{name}-{pid}"
    if not home.exists():
        (home / "run").mkdir(parents=True)
        (home / "run" / "serving.json").write_text(json.dumps([name, pid]), encoding="utf-8")
        (home / "spark").symlink_to(platform.home / "spark")
        # what three services write of themselves
        for name in ("watchdog.json", "live.json", "trainer.json"):
            (home / "run" / name).symlink_to(platform.home / "run" / name)
    given = {
        **environment.read(platform.home),
        "PATH": os.environ["PATH"],
        "MELA_HOME": str(home),
    }
    done = said(*health_check(image), env=given, cwd=home)
    return done.returncode, done.stderr


def as_here(words: list[str], platform: Settings) -> list[str]:
    """Return a foreign image's health check by the same program of this machine."""
    name = Path(words[1]).name
    if name == "pg_isready":
        program = database._binary(platform.home, name)  # pyright: ignore[reportPrivateUsage]
        here = [*account.prefix(), str(program), *words[2:]]
        return [*here, f"--port={platform.postgres.port}"]
    assert name == "bash"
    port = platform.kafka.brokers.rpartition(":")[2]
    # as compose hands it over
    return [*words[1:-1], words[-1].replace("$$", "$").replace("/9095", f"/{port}")]


def test_a_health_check_takes_milliseconds_of_the_processor(
    project: dict[str, Any], platform: Settings, image: Image, tmp_path: Path
) -> None:
    """Measured in its children, as a busy machine makes all else late."""
    before = os.times()
    pids = {one.name: one.pid for one in stack.status(platform)}
    probed = os.times()
    for _ in range(5):
        assert ask("mlflow", pids["mlflow"], platform, image, tmp_path) == (0, "")
        words = as_here(project["services"]["kafka"]["healthcheck"]["test"], platform)
        assert said(*words, cwd="/").returncode == 0
    after = os.times()

    assert probed.elapsed >= before.elapsed
    spent = after.children_user + after.children_system
    spent -= probed.children_user + probed.children_system
    assert spent / 5 < 0.3  # it was 0.7 for ours, and 3.6 to 5.8 for Kafka's

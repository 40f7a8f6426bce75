"""`make containers` says clearly what it executed, and what it could not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mela.settings import REPOSITORY, Settings
from services.scenes.publish import plan_scene
from tests.delivery.engine import scenes, stack, steps

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
_DOCKER = """#!/bin/sh
case $1 in
version) echo {engine} ;;
compose) echo {compose} ;;
esac
"""


def make_containers(path: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.delivery.engine", *words],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_an_engine_it_says_so_and_goes_on_unless_one_is_required(tmp_path: Path) -> None:
    done = make_containers(str(tmp_path))
    assert done.returncode == 0
    assert done.stdout == (
        "docs/containers.md was not executed: expected Docker's engine 25.0 or newer, but there is "
        "no `docker` on PATH.\n"
    )
    assert make_containers(str(tmp_path), "--required").returncode == 1


@pytest.mark.parametrize(
    ("engine", "compose", "sentence"),
    [
        ("20.10.24", "2.26.1", "Docker's engine 25.0 or newer, but found 20.10.24"),
        ("26.1.5", "2.20.3", "Docker's compose 2.24 or newer, but found 2.20.3"),
        ("", "2.26.1", "Docker's engine 25.0 or newer, but found none: it said nothing"),
    ],
)
def test_an_engine_that_is_too_old_is_named(
    engine: str, compose: str, sentence: str, tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(_DOCKER.format(engine=engine, compose=compose), encoding="utf-8")
    docker.chmod(0o755)
    done = make_containers(f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 0
    assert sentence in done.stdout


def test_the_page_asks_for_the_versions_that_are_asked_for() -> None:
    page = (REPOSITORY / "docs" / "containers.md").read_text(encoding="utf-8")
    (engine, _), (major, minor) = stack.ENGINE, stack.COMPOSE
    assert f"Docker {engine} with compose {major}.{minor} or newer" in " ".join(page.split())


def test_it_takes_each_step_that_the_page_has_and_runs_the_page_s_words() -> None:
    wanted = "clone build up health scene web monitoring scale trouble backup restore upgrade down"
    assert list(steps.STEPS) == [*wanted.split(), "end"]
    made = stack.Stack(REPOSITORY, Path(os.devnull))
    marks = ("docker compose stop spark", "pg_dump", "run --rm migrations", "pg_restore")
    blocks = made.page(*marks, "--remove-orphans")
    assert len(blocks) == len(marks) + 1
    text = "".join(blocks)
    assert "--volume mela-smoke_$volume:/from:ro mela:smoke" in text
    assert "mela_$volume" not in text


def test_a_grid_has_as_many_runs_as_were_asked_for() -> None:
    for runs in (120, 60_000):
        _, plan = plan_scene(scenes.grid("asked", runs, 10_000), Settings())
        assert plan.runs == runs


def test_it_is_called_by_make_and_by_both_workflows_which_have_an_engine() -> None:
    assert "python3 -m tests.delivery.engine $(ARGS)" in MAKEFILE
    for name in ("tests.yml", "nightly.yml"):
        text = (REPOSITORY / ".github" / "workflows" / name).read_text(encoding="utf-8")
        assert "- run: make containers ARGS=--required\n" in text

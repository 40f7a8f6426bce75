"""A strategy of a user's own package, edited while the stack runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backtests.strategies import CATALOGUE, refresh
from mela.grid import plan_runs
from mela.messages import SCENES, MessagePosition, RunChunk, State
from mela.scene import Scene
from mela.settings import Settings
from messaging.publisher import Publisher
from services.scenes.follow import Follower
from tests.integration.asking import answers, publish, scene_of
from warehouse.database import transaction
from warehouse.scenes import records as scenes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
PYPROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "own-ideas"
version = "1"

[project.entry-points."mela.strategies"]
own_idea = "own_ideas"

[tool.setuptools]
py-modules = ["own_ideas"]
"""
STRATEGY = """\
from backtests.signals import Signals, crossings
from backtests.strategy import strategy
from mela.run import Part


@strategy(Part, warmup=lambda params: 20)
def own_idea(candles, params, indicators):
    \"\"\"Enter when the close crosses above its mean, exit when below.\"\"\"
    return Signals(*crossings(candles.close, indicators.sma(20)))
"""


def install(folder: Path, target: Path) -> Path:
    """Install the package as a user would; return the file that is imported."""
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "own_ideas.py").write_text(STRATEGY)
    words = ["--quiet", "--target", str(target), "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *words, str(folder)], check=True, timeout=120
    )
    return target / "own_ideas.py"


def ask(scene: Scene, settings: Settings) -> tuple[int | None, dict[str, Any]]:
    """Publish the same content under a new id; return how much was stored, and the result."""
    again = scene.model_copy(update={"scene_id": uuid4()})
    last = publish(again, settings)
    assert last.state is State.FINISHED, last.sentence
    [result] = answers(again.scene_id, settings)
    assert result["status"] == "succeeded", result["error"]
    return last.cached, result


@pytest.fixture
def packages(platform: Settings) -> Iterator[Path]:
    """The stack's folder of packages; it and this process's catalogue are left as they were."""
    yield platform.packages
    for left in platform.packages.glob("own_ideas*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    refresh(platform.packages)


def test_an_edited_strategy_answers_anew_without_a_restart(
    platform: Settings, packages: Path, tmp_path: Path
) -> None:
    scene = scene_of(strategy={"name": "own_idea"})
    assert "no strategy is called" in str(publish(scene, platform).sentence)
    file = install(tmp_path, packages)

    cached, first = ask(scene, platform)
    assert cached == 0
    assert first["trades"] > 0
    assert ask(scene, platform)[0] == 1  # nothing changed: answered from the store

    file.write_text(STRATEGY.replace("20", "50"))
    cached, second = ask(scene, platform)
    assert cached == 0
    assert second["run_key"] == first["run_key"]
    assert second["strategy"]["digest"] != first["strategy"]["digest"]
    assert second["result_key"] != first["result_key"]
    assert second["final_equity"] != first["final_equity"]
    assert second["trades"] < first["trades"]

    file.write_text(STRATEGY.replace("return", "retrun"))
    refused = publish(scene.model_copy(update={"scene_id": uuid4()}), platform)
    assert refused.state is State.REJECTED
    assert (refused.code, refused.field) == ("unknown_strategy", "strategy.name")
    assert "own_idea could not be loaded from package own-ideas" in str(refused.sentence)
    assert "SyntaxError" in str(refused.sentence)

    file.write_text(STRATEGY)  # as it was: what is stored holds again
    cached, third = ask(scene, platform)
    assert (cached, third["result_key"]) == (1, first["result_key"])


def test_a_run_whose_strategy_went_after_the_plan_fails_and_its_scene_ends(
    platform: Settings,
) -> None:
    """As if the scene had been planned, and the strategy then taken away."""
    scene = scene_of(strategy={"name": "sma_cross"})
    [run] = plan_runs(scene, CATALOGUE, max_runs=1).expand()
    gone = replace(run, strategy="long_gone", run_key="0" * 64)
    content = {**scene.content(), "strategy": {"name": "long_gone"}}
    source = MessagePosition(SCENES, 0, 10**9)
    with transaction(platform) as connection:
        scenes.receive(
            connection,
            str(scene.scene_id),
            content,
            scene.content_hash(),
            runs=1,
            skipped=0,
            name=None,
            origin=source,
        )
        scenes.set_planned(connection, str(scene.scene_id), cached=0)
    chunk = RunChunk(str(scene.scene_id), 0, [gone], digests={"long_gone": "0" * 64})
    with Follower(platform, [scene.scene_id]) as follower:
        with Publisher(platform.kafka) as publisher:
            publisher.chunk(chunk)
        last = follower.to_the_end()
    assert last.state is State.FINISHED
    [result] = answers(scene.scene_id, platform)
    assert (result["status"], result["error"]["class"]) == ("failed", "StrategyEdited")
    assert "long_gone was edited after this run was planned" in result["error"]["sentence"]
    assert result["strategy"] == {"name": "long_gone", "digest": "0" * 64}

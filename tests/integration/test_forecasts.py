"""A registered model goes the way of every strategy: Kafka, Spark, Postgres, and no other file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from forecasts.strategy import IN_SAMPLE
from mela.messages import State
from mela.scene import Scene
from mela.settings import REPOSITORY, Settings
from tests.conftest import typed
from tests.integration.asking import answers, publish, scene_of, stored_scene
from tests.integration.test_scenes import PACKAGED, without_circumstances

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
BTC = PACKAGED / "binance_BTCUSDT_1h.parquet"
MODEL = "hours"


def trained(settings: Settings, folder: Path, end: str) -> dict[int, str]:
    """Train a linear model on packaged candles and register it; return SHA-256 by version."""
    document = yaml.safe_load((REPOSITORY / "docs" / "models" / "first.yaml").read_text())
    document |= {"name": MODEL, "seeds": [1], "model": {"name": "ridge"}, "end": end}
    file = folder / "training.yaml"
    file.write_text(yaml.safe_dump(document))
    words = ("model", "train", str(file), "--candles", str(BTC), "--follow")
    done = typed(*words, home=settings.home)
    assert done.returncode == 0, done.stderr
    listed = json.loads(typed("model", "list", "--json", home=settings.home).stdout)
    return {one["version"]: one["sha"] for one in listed if one["name"] == MODEL}


def promoted(settings: Settings, version: int) -> None:
    done = typed("model", "promote", MODEL, str(version), home=settings.home)
    assert done.returncode == 0, done.stderr


def again(scene: Scene) -> Scene:
    """Return the same question under a new id."""
    return scene.model_copy(update={"scene_id": uuid4()})


def by_enter(scene: Scene, settings: Settings) -> list[dict[str, Any]]:
    return sorted(answers(scene.scene_id, settings), key=lambda one: one["params"]["enter"])


def but_lookahead(result: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the job's own check of the strategy finds meanwhile, for all its results."""
    return result | {"lookahead": None}


def test_a_scene_asks_the_champion_and_a_promotion_changes_no_result(
    platform: Settings, tmp_path: Path
) -> None:
    first = trained(platform, tmp_path, "2022-06-01")[1]
    scene = scene_of(
        start="2023-01-15T00:00:00Z",
        strategy={"name": "forecast", "params": {"model": f"models:/{MODEL}@champion"}},
        search={"kind": "grid", "space": {"strategy.params.enter": [0.0, 0.0005, 0.001]}},
    )
    last = publish(scene, platform)
    assert (last.state, last.runs, last.cached) == (State.FINISHED, 3, 0)
    old = by_enter(scene, platform)
    assert {one["params"]["model"] for one in old} == {f"models:/{MODEL}/1#{first}"}
    assert {one["status"] for one in old} == {"succeeded"}
    assert old[0]["trades"] > 0
    assert all(IN_SAMPLE not in one["warnings"] for one in old)
    kept = stored_scene(scene.scene_id, platform)
    assert kept is not None
    assert kept.content["strategy"]["params"]["model"] == f"models:/{MODEL}/1#{first}"

    file = tmp_path / "scene.yaml"  # the alias, as a user writes it
    file.write_text(yaml.safe_dump(scene.model_dump(mode="json", by_alias=True)))
    done = typed("backtest", str(file), f"--candles={BTC}", "--json", home=platform.home)
    assert done.returncode == 0, done.stderr
    here = sorted(json.loads(done.stdout), key=lambda one: one["params"]["enter"])
    assert [without_circumstances(one) for one in here] == [
        without_circumstances(one) | {"revisions": None} for one in old
    ]

    second = trained(platform, tmp_path, "2023-02-01")[2]
    promoted(platform, 2)
    asked = again(scene)
    assert publish(asked, platform).cached == 0
    new = by_enter(asked, platform)
    assert {one["params"]["model"] for one in new} == {f"models:/{MODEL}/2#{second}"}
    assert all(IN_SAMPLE in one["warnings"] for one in new)
    assert not {one["result_key"] for one in old} & {one["result_key"] for one in new}
    assert [but_lookahead(one) for one in by_enter(scene, platform)] == [
        but_lookahead(one) for one in old
    ]

    promoted(platform, 1)
    assert publish(again(scene), platform).cached == 3

    shown = typed("results", str(asked.scene_id), "--json", home=platform.home)
    assert shown.returncode == 0, shown.stderr
    assert f"models:/{MODEL}/2#{second}" in shown.stdout


def test_a_training_goes_through_kafka_like_any_scene_and_a_scene_asks_its_model(
    platform: Settings, tmp_path: Path
) -> None:
    document = yaml.safe_load((REPOSITORY / "docs" / "models" / "first.yaml").read_text())
    span = {"start": "2023-02-01", "end": "2023-08-01"}
    document |= {"name": "asked", "seeds": [1], "model": {"name": "ridge"}, **span}
    file = tmp_path / "training.yaml"
    file.write_text(yaml.safe_dump(document))

    done = typed("model", "train", str(file), "--follow", home=platform.home)

    assert done.returncode == 0, done.stderr
    scene_id, _, report = done.stdout.partition("\n")
    assert "This is the linear model itself" in report
    assert "models:/asked/1, challenger and champion, SHA-256 " in done.stderr
    [listed] = [
        one
        for one in json.loads(typed("scenes", "--json", home=platform.home).stdout)
        if one["scene_id"] == scene_id
    ]
    assert (listed["kind"], listed["state"], listed["name"]) == ("train", "finished", "asked")
    assert listed["recorded"] == listed["runs"] == 4 + 4 + 4 + 1
    assert report in typed("follow", scene_id, home=platform.home).stdout

    scene = scene_of(
        start="2023-09-01T00:00:00Z",
        end="2023-10-01T00:00:00Z",
        strategy={"name": "forecast", "params": {"model": "models:/asked@champion"}},
    )
    assert publish(scene, platform).state is State.FINISHED
    [found] = answers(scene.scene_id, platform)
    assert found["status"] == "succeeded"
    assert found["params"]["model"].startswith("models:/asked/1#")

    file.write_text(yaml.safe_dump(document | {"kind": "train", "instruments": ["binance:NONE"]}))
    refused = typed("publish", str(file), home=platform.home)
    assert refused.returncode == 1
    assert "no candles of binance:NONE were ever loaded" in refused.stderr


def test_a_portfolio_asks_a_model_and_one_that_is_not_there_is_refused(
    platform: Settings, tmp_path: Path
) -> None:
    sha = trained(platform, tmp_path, "2022-06-01")[1]
    scene = scene_of(
        instruments=["binance:BTCUSDT", "binance:ETHUSDT"],
        mode="together",
        strategy={"name": "forecast", "params": {"model": f"models:/{MODEL}/1"}},
    )
    assert publish(scene, platform).state is State.FINISHED
    [found] = answers(scene.scene_id, platform)
    assert (found["status"], found["params"]["model"]) == ("succeeded", f"models:/{MODEL}/1#{sha}")
    assert found["trades"] > 0

    wrong = scene_of(strategy={"name": "forecast", "params": {"model": f"models:/{MODEL}@nobody"}})
    refused = publish(wrong, platform)
    assert (refused.state, refused.field) == (State.REJECTED, "strategy.params.model")
    assert "has no version 'nobody'" in str(refused.sentence)

"""A search goes in through Kafka; what it has proved comes out in Kafka, Postgres and MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from mlflow.tracking import MlflowClient
from sqlalchemy import text

from backtests import local
from mela.grid import plan_runs
from mela.messages import State
from mela.result import rank
from mela.settings import Settings
from services.runs.stored_series import stored_series
from services.scenes.follow import Follower
from tests.conftest import typed
from tests.integration.asking import answers, publish, scene_of, send, stored_scene
from tests.storm.faults import kill
from warehouse.database import transaction

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

WALK: dict[str, Any] = {
    "start": "2023-01-01T00:00:00Z",
    "end": "2023-07-01T00:00:00Z",
    "instruments": ["binance:BTCUSDT", "binance:ETHUSDT"],
    "search": {
        "kind": "random",
        "trials": 8,
        "space": {
            "strategy.params.fast": {"low": 5, "high": 40, "integer": True},
            "strategy.params.slow": {"from": 60, "to": 200, "step": 10},
        },
    },
    "strategy": {"name": "sma_cross"},
    "validation": {"train": "60d", "test": "20d", "embargo": "1d"},
    "holdout": {"start": "2023-06-01T00:00:00Z"},
}


def test_a_walk_forward_is_judged_and_its_holdout_opened_once(
    platform: Settings, tmp_path: Path
) -> None:
    scene = scene_of(**WALK)
    last = publish(scene, platform)
    assert (last.state, last.runs) == (State.FINISHED, 8 * 5 * 2)
    assert last.report is not None
    row = stored_scene(scene.scene_id, platform)
    assert row is not None
    report = row.best["report"]
    assert last.report == report  # short enough to be sent whole
    assert not row.best["warnings"]

    walked = report["walk_forward"]
    assert walked["folds"] == 5
    assert all(len(one["folds"]) == 5 for one in walked["instruments"].values())
    known = {one["run_key"]: one for one in answers(scene.scene_id, platform)}
    for name, one in walked["instruments"].items():
        for fold in one["folds"]:
            rivals = [
                other["sharpe"]
                for other in known.values()
                if other["instruments"] == [name] and other["start"] == fold["train_start"]
            ]
            assert len(rivals) == 8
            assert known[fold["run_key"]]["sharpe"] == max(rivals) == fold["trained"]
    assert report["statistics"]["n_trials"] >= 80
    assert 0 <= report["statistics"]["pbo"] <= 1
    assert (report["holdout"]["reopened"], report["holdout"]["status"]) == (0, "succeeded")

    run = MlflowClient(platform.mlflow.url).get_run(last.mlflow_run_id or "")
    assert run.data.metrics["dsr"] == pytest.approx(report["statistics"]["dsr"])
    assert run.data.metrics["oos_sharpe"] == pytest.approx(walked["sharpe"])
    client = MlflowClient(platform.mlflow.url)
    kept = client.download_artifacts(run.info.run_id, "report.json", str(tmp_path))
    assert json.loads(Path(kept).read_text(encoding="utf-8")) == report

    again = scene.model_copy(update={"scene_id": uuid4()})
    repeated = publish(again, platform)
    assert repeated.report is not None
    assert repeated.report["holdout"]["reopened"] == 1
    assert repeated.report["walk_forward"] == walked
    with transaction(platform) as connection:
        opened = connection.execute(
            text("SELECT run_key, opened_by FROM ops.holdout WHERE scene_id = :id"),
            {"id": str(scene.scene_id)},
        ).one()
    assert opened.run_key == report["winner"]["run_key"]
    assert opened.opened_by

    shown = typed("results", str(scene.scene_id), home=platform.home)
    assert "walk-forward" in shown.stdout
    assert "first opening" in shown.stdout
    printed = typed("results", str(scene.scene_id), "--report", home=platform.home)
    assert json.loads(printed.stdout) == report


def test_a_grid_is_judged_too_and_said_to_lack_an_out_of_sample_check(platform: Settings) -> None:
    search = {"kind": "grid", "space": {"strategy.params.fast": [5, 10, 20, 30]}}
    last = publish(scene_of(search=search), platform)
    assert last.report is not None
    assert last.report["statistics"]["n_trials"] >= 4
    assert "no_out_of_sample" in {one["code"] for one in last.warnings}


def test_a_search_that_learns_asks_what_one_process_asks_though_the_job_is_killed(
    platform: Settings,
) -> None:
    """Killed between two batches; then told and asked again, to the same questions and answers."""
    search = {**WALK["search"], "kind": "tpe", "trials": 9, "batch": 3}
    scene = scene_of(search=search, instruments=WALK["instruments"], strategy=WALK["strategy"])
    with Follower(platform, [scene.scene_id]) as follower:
        send(scene, platform)
        steps = follower.messages()
        second = next(one for one in steps if one.batch and one.recorded)
        assert kill("spark", platform)
        said = [second, *steps]
    last = said[-1]
    assert (last.state, last.runs) == (State.FINISHED, 9 * 2)
    batches = [one.batch for one in said if one.batch]
    assert batches == sorted(batches)
    assert {one.batches for one in said if one.batches} == {3 * 2}

    bench = local.Bench(stored_series(platform))
    plan = plan_runs(scene, bench.catalogue, max_runs=100)
    alone = rank(local.execute(scene, plan, bench).documents, scene.ranking)
    found = rank(answers(scene.scene_id, platform), scene.ranking)
    assert list(map(numbers, found)) == list(map(numbers, alone))
    assert last.report is not None
    assert last.report["statistics"]["n_trials"] >= len(found)


def numbers(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result without what tells who asked, and when."""
    made = ("scene_id", "cached", "computed_at", "result_key", "candles_revision", "revisions")
    return {name: value for name, value in document.items() if name not in (*made, "lookahead")}

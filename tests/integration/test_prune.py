"""An old scene on the running platform: thinned in Postgres and MLflow, and had again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient
from sqlalchemy import text

from mela.messages import State
from mela.settings import Settings
from services.runs.results import results_of
from services.scenes.follow import follow_scene
from services.scenes.stored_scenes import scene_id_of
from tests.conftest import mela, typed
from tests.integration.asking import answers, grid, publish, scene_of, stored_scene, wait_for
from warehouse.database import transaction
from warehouse.results import trials

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
RULES = {"MELA_PRUNE__KEEP_BEST": "2", "MELA_PRUNE__SCENE_DAYS": "900"}
RULES |= {"MELA_PRUNE__CURVE_DAYS": "900", "MELA_PRUNE__MLFLOW_DAYS": "900"}
AGED = "UPDATE ops.scene SET finished_at = now() - interval '1000 days' WHERE scene_id = :id"


def known(settings: Settings, scene: Any) -> tuple[int, bytes]:
    span = scene.start, scene.end
    with transaction(settings) as connection:
        found = trials.known(
            connection,
            scene.scene_id,
            instruments=scene.instruments,
            strategies=["sma_cross"],
            dates=span,
            interval=str(scene.interval),
            span=span,
        )
    return found.n_trials, found.blocks.tobytes()


def pruned(settings: Settings, *words: str) -> dict[str, int]:
    done = typed("prune", "--json", *words, home=settings.home, settings=RULES)
    assert done.returncode == 0, done.stderr
    assert not [one["note"] for one in json.loads(done.stdout) if one["note"]]
    return {one["what"]: one["count"] for one in json.loads(done.stdout)}


def test_an_old_scene_is_thinned_everywhere_and_comes_back_when_asked(platform: Settings) -> None:
    asked = scene_of(search=grid(2, 3))
    assert publish(asked, platform).state is State.FINISHED
    before, rows = known(platform, asked), answers(asked.scene_id, platform)
    client = MlflowClient(platform.mlflow.url)
    scene = stored_scene(asked.scene_id, platform)
    assert scene is not None
    parent = scene.mlflow_run_id

    def children(kind: ViewType = ViewType.ACTIVE_ONLY) -> int:
        experiment = client.get_run(parent).info.experiment_id
        of_parent = f"tags.`mlflow.parentRunId` = '{parent}'"
        return len(client.search_runs([experiment], of_parent, kind))

    wait_for(lambda: children() == 6, 60, "MLflow has the scene's runs")
    with transaction(platform) as connection:
        connection.execute(text(AGED), {"id": asked.scene_id})
    assert typed("pin", str(asked.scene_id), home=platform.home).returncode == 0
    assert not any(pruned(platform).values())
    assert typed("pin", str(asked.scene_id), "--remove", home=platform.home).returncode == 0

    would = pruned(platform, "--dry-run")
    assert pruned(platform) == would
    assert (would["results"], would["runs in MLflow"]) == (4, 4)

    assert (children(), children(ViewType.ALL)) == (2, 6)
    freed = mela("mlflow", "gc", "--older-than", "0d", home=platform.home)
    assert freed.returncode == 0, freed.stderr
    assert children(ViewType.ALL) == 2
    assert asked.scene_id is not None
    said = results_of(asked.scene_id, platform).pruned
    assert said is not None
    assert said.results == 4
    assert known(platform, asked) == before
    again = typed("prune", "--restore", str(asked.scene_id), home=platform.home)
    assert again.returncode == 0, again.stderr
    new_id = scene_id_of(again.stdout.strip(), platform)
    last = list(follow_scene(new_id, platform))[-1]
    assert (last.state, last.recorded, last.cached) == (State.FINISHED, 6, 2)
    assert known(platform, asked) == before
    numbers = {one["run_key"]: one["sharpe"] for one in rows}
    assert {one["run_key"]: one["sharpe"] for one in answers(new_id, platform)} == numbers
    assert (
        typed("prune", "--restore", str(asked.scene_id), home=platform.home).stdout == again.stdout
    )

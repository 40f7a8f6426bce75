"""What a real tracking server has of a scene: all its runs, comparable, once."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

import stack
from mela.interval import Interval
from mela.settings import MlflowSettings, Settings
from replay import ReplayServer
from services.runs.results import results_of
from services.tracking.mlflow_pages import compared
from streaming import conclude, mirror, mlflow_files, tracking
from streaming import mlflow_view as views
from streaming.tracking import Concluded
from tests.streaming.answered import answered
from tests.warehouse.given import at
from warehouse.database import transaction
from warehouse.ingestion.ingest import ingest
from warehouse.results import finder as results
from warehouse.scenes import records as scenes

pytestmark = pytest.mark.integration
GRID = {
    "name": "a grid",
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-10T00:00:00Z",
    "end": "2023-02-10T00:00:00Z",
    "strategy": {"name": "sma_cross"},
    "search": {
        "kind": "grid",
        "space": {
            "strategy.params.fast": [5, 10, 15, 20],
            "strategy.params.slow": [30, 60],
            "exits.stop_loss": [None, 0.02, 0.05],
        },
    },
}
RUNS = 24


@pytest.fixture(scope="module")
def server(postgres: Settings) -> MlflowSettings:
    """A tracking server beside the tests' Postgres."""
    return stack.up(Settings(home=postgres.home), only={"postgres", "mlflow"}).mlflow


@pytest.fixture
def settings(
    warehouse: Settings,
    server: MlflowSettings,
    packaged: ReplayServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Settings]:
    """An empty warehouse with two months of candles, and a mirror that was just started."""
    monkeypatch.setattr(mirror, "_in_part", {})
    monkeypatch.setattr(mirror, "_has_read_unfinished", False)
    monkeypatch.setattr(mirror, "_rests_until", 0.0)
    monkeypatch.setattr(mirror, "_has_missed", False)
    monkeypatch.setattr(mirror, "_failures", Counter())
    found = warehouse.model_copy(update={"mlflow": server, "replay_url": packaged.url})
    ingest("binance:BTCUSDT", Interval.H1, at("2023-01-01"), at("2023-02-10"), found)
    yield found
    client = MlflowClient(server.url)
    for one in client.search_experiments():
        if one.name != "Default":
            client.rename_experiment(one.experiment_id, f"{one.name} {time.monotonic_ns()}")


def finish(scene_id: str, settings: Settings) -> str:
    """Conclude a scene; return its MLflow run."""
    with transaction(settings) as connection:
        scene = scenes.get(connection, scene_id)
    assert scene is not None
    conclude.finish(scene_id, scene, settings)
    run_id = results_of(UUID(scene_id), settings).mlflow_run_id
    assert run_id is not None
    return run_id


def concluded(scene_id: str, settings: Settings) -> Concluded:
    with transaction(settings) as connection:
        scene = scenes.get(connection, scene_id)
        best = results.best_of(connection, scene_id, "sharpe").overall
    assert scene is not None
    return Concluded(scene_id, scene, [best] if best else [])


def children(run_id: str, settings: Settings) -> list[Run]:
    client = MlflowClient(settings.mlflow.url)
    experiment = client.get_run(run_id).info.experiment_id
    where = f"tags.`mlflow.parentRunId` = '{run_id}'"
    return list(client.search_runs([experiment], where, max_results=1_000))


def rank_of(run: Run) -> int:
    return int(run.data.tags["mlflow.runName"].split()[0].removeprefix("#"))


def test_all_runs_of_a_grid_are_there_and_say_what_tells_them_apart(
    settings: Settings, tmp_path: Path
) -> None:
    scene_id = answered(GRID, settings, user="ada")
    run_id = finish(scene_id, settings)
    client = MlflowClient(settings.mlflow.url)
    assert len(children(run_id, settings)) == tracking.AT_ONCE  # for which the scene's end waited
    assert client.get_run(run_id).info.status == "RUNNING"
    assert mirror.is_behind()

    assert mirror.catch_up(settings) == 1

    assert not mirror.is_behind()
    parent, runs = client.get_run(run_id), sorted(children(run_id, settings), key=rank_of)
    assert parent.info.status == "FINISHED"
    assert [rank_of(run) for run in runs] == list(range(1, RUNS + 1))
    ranked = [row["run_key"] for row in results_of(UUID(scene_id), settings).rows]
    assert [run.data.tags["mela.run_key"] for run in runs] == ranked
    assert len({run.data.tags["mlflow.runName"] for run in runs}) == RUNS
    for run in runs:
        params, tags = run.data.params, run.data.tags
        said = f"fast={params['params.fast']} slow={params['params.slow']}"
        assert tags["mlflow.runName"] == (
            f"#{rank_of(run)} {said} stop={params['exits.stop_loss']}"
        )
        assert params["stop"] == f"stop {params['exits.stop_loss']}"
        assert (tags["mlflow.user"], tags["mlflow.source.name"]) == ("ada", "mela sma_cross")
    assert {run.data.params["exits.stop_loss"] for run in runs} == {"none", "0.02", "0.05"}
    _experiment_opens_on_runs(client, parent)
    _files_can_be_read(client, run_id, tmp_path)


def test_what_mlflow_missed_is_due_when_it_is_asked_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = settings.mlflow.model_copy(update={"url": "http://127.0.0.1:9"})
    scene_id = answered(GRID, settings)
    with transaction(settings) as connection:
        scene = scenes.get(connection, scene_id)
    assert scene is not None

    conclude.finish(scene_id, scene, settings.model_copy(update={"mlflow": nobody}))

    assert results_of(UUID(scene_id), settings).mlflow_run_id is None
    assert not mirror.is_behind()  # MLflow is left alone for a while
    monkeypatch.setattr(mirror, "_rests_until", 0.0)
    assert mirror.is_behind()
    mirror.catch_up(settings)
    assert results_of(UUID(scene_id), settings).mlflow_run_id is not None
    assert not mirror.is_behind()


def test_of_a_larger_scene_mlflow_gets_the_best_runs(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_files, "IN_CSV", 3)
    scene_id = answered(GRID, settings)
    run_id = finish(scene_id, settings.model_copy(update={"mlflow_top": 2}))

    client = MlflowClient(settings.mlflow.url)
    table = pd.read_csv(client.download_artifacts(run_id, "runs.csv", str(tmp_path)))

    ranked = [row["run_key"] for row in results_of(UUID(scene_id), settings).rows]
    assert table["run_key"].tolist() == ranked[:3]
    assert len(children(run_id, settings)) == 2


def _experiment_opens_on_runs(client: MlflowClient, parent: Run) -> None:
    experiment: Any = client.get_experiment(parent.info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert "`sma_cross`" in experiment.tags["mlflow.note.content"]
    described = parent.data.tags["mlflow.note.content"]
    assert described.startswith("sma_cross on binance:BTCUSDT, 1h candles, 2023-01-10 to")
    for page in ("mela.table", "mela.charts", "mela.best"):
        assert parent.data.tags[page] in described


def _files_can_be_read(client: MlflowClient, run_id: str, folder: Path) -> None:
    names = {artifact.path for artifact in client.list_artifacts(run_id)}
    assert names == {"runs.csv", "runs.json", "equity.png", "best.html", "report.json"}
    table = pd.read_csv(client.download_artifacts(run_id, "runs.csv", str(folder)))
    assert len(table) == RUNS
    assert not table[["start", "end", "exits.stop_loss"]].isna().any().any()
    assert not table["start"].str.contains("T").any()
    tags = client.get_run(run_id).data.tags
    assert json.loads(tags["mlflow.loggedArtifacts"]) == [{"path": "runs.json", "type": "table"}]
    shown = json.loads(
        Path(client.download_artifacts(run_id, "runs.json", str(folder))).read_text()
    )
    assert (len(shown["data"]), shown["columns"][0]) == (RUNS, "rank")
    assert not [name for name in shown["columns"] if "." in name]
    page = Path(client.download_artifacts(run_id, "best.html", str(folder))).read_text()
    assert "sma_cross(fast=" in page
    assert "Plotly.newPlot" in page


def test_the_pages_that_publish_prints_are_there(settings: Settings) -> None:
    run_id = finish(answered(GRID, settings), settings)

    pages = compared(run_id, settings)

    assert pages is not None
    assert pages.table.startswith(f"{settings.mlflow.url}/#/experiments/")
    key = pages.table.partition("viewStateShareKey=")[2].partition("&")[0]
    client = MlflowClient(settings.mlflow.url)
    experiment: Any = client.get_experiment(client.get_run(run_id).info.experiment_id)
    assert experiment.tags[f"{views.VIEW_TAG}{key}"].startswith("deflate;")
    best = sorted(children(run_id, settings), key=rank_of)[: views.MOST_COMPARED]
    assert pages.best is not None
    assert all(run.info.run_id in pages.best for run in best)
    away = MlflowSettings(url="http://127.0.0.1:1")
    assert compared(run_id, settings.model_copy(update={"mlflow": away})) is None


def test_what_a_killed_process_left_in_part_is_completed_by_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = finish(answered(GRID, settings), settings)
    monkeypatch.setattr(mirror, "_in_part", {})  # as a process that was started anew

    mirror.catch_up(settings)

    assert len(children(run_id, settings)) == RUNS
    assert MlflowClient(settings.mlflow.url).get_run(run_id).info.status == "FINISHED"


def test_the_rest_is_written_in_slices_and_once_however_often_it_is_told(
    settings: Settings,
) -> None:
    scene_id = answered(GRID, settings)
    run_id = finish(scene_id, settings)
    told = concluded(scene_id, settings)

    assert not tracking.log_rest(told, settings, until=time.monotonic())
    assert len(children(run_id, settings)) == tracking.AT_ONCE
    assert tracking.log_rest(told, settings, until=time.monotonic() + 60)
    assert tracking.log_rest(told, settings, until=time.monotonic() + 60)
    assert tracking.log_scene(told, settings) == run_id
    keys = [run.data.tags["mela.run_key"] for run in children(run_id, settings)]
    assert len(keys) == len(set(keys)) == RUNS


def test_a_parent_that_somebody_deleted_is_not_written_again(settings: Settings) -> None:
    scene_id = answered(GRID, settings)
    run_id = finish(scene_id, settings)
    MlflowClient(settings.mlflow.url).delete_run(run_id)

    assert tracking.log_rest(concluded(scene_id, settings), settings, time.monotonic() + 60)

    assert scene_id not in tracking.unfinished(settings)


def test_a_scene_without_numbers_is_failed_and_so_are_its_runs(settings: Settings) -> None:
    nothing = GRID | {"start": "2022-01-10T00:00:00Z", "end": "2022-02-10T00:00:00Z"}
    run_id = finish(answered(nothing, settings), settings)
    mirror.catch_up(settings)

    client = MlflowClient(settings.mlflow.url)
    assert client.get_run(run_id).info.status == "FAILED"
    assert {run.info.status for run in children(run_id, settings)} == {"FAILED"}
    assert "No run gave any numbers" in client.get_run(run_id).data.tags["mlflow.note.content"]


def test_a_single_run_has_no_children_and_its_own_page(settings: Settings) -> None:
    alone = {name: value for name, value in GRID.items() if name != "search"}
    run_id = finish(answered(alone, settings), settings)
    mirror.catch_up(settings)

    assert children(run_id, settings) == []
    pages = compared(run_id, settings)
    assert pages is not None
    assert f"/runs/{run_id}?" in pages.table
    assert (pages.charts, pages.best) == (None, None)


def test_an_experiment_keeps_its_newest_views_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_VIEWS", 2)
    run_ids = [finish(answered(GRID, settings), settings) for _ in range(3)]

    client = MlflowClient(settings.mlflow.url)
    experiment: Any = client.get_experiment(client.get_run(run_ids[-1]).info.experiment_id)
    kept = [name for name in experiment.tags if name.startswith(views.VIEW_TAG)]
    assert len(kept) == 2
    newest = compared(run_ids[-1], settings)
    assert newest is not None
    assert any(name.removeprefix(views.VIEW_TAG) in newest.table for name in kept)

"""Whatever is killed in the middle of a grid: nothing is lost, nothing counts twice."""

from __future__ import annotations

import time

import psutil
import pytest
from mlflow.tracking import MlflowClient
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import stack
from mela.messages import Progress, State
from mela.scene import Scene
from mela.settings import Settings
from services.follow import Follower
from stack.supervision import Supervisor
from streaming.tracking import AT_ONCE
from tests.integration.asking import (
    answers,
    grid,
    publish,
    scene_of,
    send,
    stored_scene,
    wait_for,
)
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes.stored import StoredScene

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
RUNS = 6_000


@pytest.mark.parametrize("service", ["spark", "postgres", "kafka"])
def test_a_kill_in_the_middle_of_a_grid_loses_nothing(platform: Settings, service: str) -> None:
    scene = scene_of(search=grid(60, 100), end="2024-01-01T00:00:00Z")
    with Follower(platform, [scene.scene_id]) as follower:
        send(scene, platform)
        last: Progress | None = None
        killed_at = 0
        for last in follower.messages(silence_s=240):
            if not killed_at and last.state is State.RECORDED:
                killed_at = last.recorded or 0
                kill(service, platform)
    assert 0 < killed_at < RUNS, "the kill came too late to prove anything"
    assert last is not None
    assert (last.state, last.recorded) == (State.FINISHED, RUNS)
    whole_and_once(scene, platform)


def test_a_kill_before_the_end_is_concluded_records_it_once(platform: Settings) -> None:
    scene = scene_of(search=grid(5, 10))
    with Follower(platform, [scene.scene_id]) as follower:
        send(scene, platform)
        is_killed = False
        for message in follower.messages(silence_s=240):
            if not is_killed and message.recorded == message.runs:
                time.sleep(0.3)  # conclude is at work in MLflow
                kill("spark", platform)
                is_killed = True
    assert is_killed
    whole_and_once(scene, platform)


def test_the_platform_goes_on_after_all_that(platform: Settings) -> None:
    assert publish(scene_of(), platform).state is State.FINISHED


def test_status_names_the_query_that_waits_for_a_service(platform: Settings) -> None:
    supervisor = Supervisor(platform.home)
    supervisor.stop("postgres")
    scene = scene_of()
    try:
        send(scene, platform)
        missing = wait_for(lambda: _missing(platform), 60, "a query failed")
        assert "is repeated until it succeeds" in missing
        assert "the query plan failed" in missing
    finally:
        supervisor.start("postgres")
    wait_for(lambda: getattr(_stored(scene, platform), "finished_at", None), 120, "the scene ended")
    wait_for(lambda: _missing(platform) is None, 60, "the job called itself healthy again")


def _missing(settings: Settings) -> str | None:
    [found] = [one for one in stack.status(settings) if one.name == "spark"]
    return found.missing


def _stored(scene: Scene, settings: Settings) -> StoredScene | None:
    try:
        return stored_scene(scene.scene_id, settings)
    except OperationalError:  # Postgres has only begun to start
        return None


def kill(service: str, settings: Settings) -> None:
    """SIGKILL a service and all its children at once."""
    [found] = [one for one in stack.status(settings) if one.name == service]
    assert found.pid is not None
    parent = psutil.Process(found.pid)
    for process in [parent, *parent.children(recursive=True)]:
        process.kill()


def whole_and_once(scene: Scene, settings: Settings) -> None:
    """Hold the tables and MLflow against the scene: each run answered once, each answer there."""
    rows = answers(scene.scene_id, settings)
    with transaction(settings) as connection:
        [counted] = results.progress(connection, [str(scene.scene_id)])
        doubled = connection.execute(
            text(
                "SELECT run_key FROM ops.result WHERE run_key = ANY(:keys)"
                " GROUP BY run_key HAVING count(*) > 1"
            ),
            {"keys": [row["run_key"] for row in rows]},
        ).all()
        planned = connection.scalar(
            text(
                "SELECT planned_at IS NOT NULL AND finished_at IS NOT NULL FROM ops.scene"
                " WHERE scene_id = :id"
            ),
            {"id": str(scene.scene_id)},
        )
    assert len({row["run_key"] for row in rows}) == len(rows) == counted.runs
    assert {row["status"] for row in rows} == {"succeeded"}
    assert not doubled
    assert planned
    client = MlflowClient(tracking_uri=settings.mlflow.url)
    experiment = client.get_experiment_by_name("sma_cross")
    assert experiment is not None
    ids = [experiment.experiment_id]
    where = f"tags.`mela.scene_id` = '{scene.scene_id}'"
    # MLflow keeps its runs in the Postgres that was killed: what it missed is made up for later
    parents = wait_for(lambda: list(client.search_runs(ids, where)), 240, "MLflow has the scene")
    assert len(parents) == 1
    below = f"tags.`mlflow.parentRunId` = '{parents[0].info.run_id}'"
    nested = wait_for(
        lambda: len(found := list(client.search_runs(ids, below))) >= AT_ONCE and found,
        120,
        "MLflow has the best runs",
    )
    keys = [run.data.tags["mela.run_key"] for run in nested]
    assert len(keys) == len(set(keys)) >= AT_ONCE  # the others are still being written

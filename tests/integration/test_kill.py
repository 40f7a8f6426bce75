"""A short storm: whatever is killed in the middle of a grid, nothing is lost, nothing counts twice.

`make storm` is the long one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

import pytest
from sqlalchemy.exc import OperationalError

import stack
from mela.messages import State
from mela.scene import Scene
from mela.settings import Settings
from stack.supervision import Supervisor
from tests.integration.asking import grid, publish, scene_of, send, stored_scene, wait_for
from tests.storm.faults import cut, kill, kill_worker
from tests.storm.history import Heard, account_for
from warehouse.scenes.stored_scene import StoredScene

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
ATTEMPTS = 4
ENDED_S = 900  # after the last kill, for all scenes: Spark starts for minutes on a slow machine
SEED = 20_261_130


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("worker", "postgres", "kafka"), id="some"),
        pytest.param(
            ("worker", "spark", "postgres", "kafka", "cut", "mlflow"),
            id="all",
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_a_storm_loses_nothing_and_counts_nothing_twice(
    platform: Settings, names: tuple[str, ...]
) -> None:
    """Each is killed while a grid is half recorded, and Spark also before a scene's end."""
    heard, rng = Heard(platform), Random(SEED)  # noqa: S311
    deeds: dict[str, Callable[[], bool]] = {
        "worker": lambda: kill_worker(platform, rng),
        "spark": lambda: kill("spark", platform),
        "postgres": lambda: kill("postgres", platform),
        "kafka": lambda: kill("kafka", platform),
        "cut": lambda: cut(platform),
        "mlflow": lambda: kill("mlflow", platform),
    }
    published: list[Scene] = []
    for name in names:
        published += in_the_middle(name, deeds[name], heard, platform)
    published.append(before_the_end(heard, platform))

    until = time.monotonic() + ENDED_S
    while time.monotonic() < until and not all(heard.has_ended(one.scene_id) for one in published):
        heard.listen()
    for scene in published:
        account_for(scene, heard, platform)


def in_the_middle(
    name: str, deed: Callable[[], bool], heard: Heard, settings: Settings
) -> list[Scene]:
    """Do something once a part of a grid is recorded; return the scenes that were published.

    A grid that is recorded at once proves nothing: one of twice the size is asked for.
    """
    published: list[Scene] = []
    for attempt in range(ATTEMPTS):
        slow = 50 * 2**attempt
        scene = scene_of(search=grid(40, slow), end="2024-01-01T00:00:00Z")
        published.append(scene)
        send(scene, settings)
        if first_recorded(scene, heard) < 40 * slow:
            assert deed(), f"{name} was not there"
            return published
    raise AssertionError(f"no grid was half recorded for {name}")


def first_recorded(scene: Scene, heard: Heard) -> int:
    """Wait until runs of a scene are recorded; return how many."""
    until = time.monotonic() + 240
    while time.monotonic() < until:
        for said in heard.listen():
            if said.scene_id == scene.scene_id and said.recorded:
                return said.recorded
    raise AssertionError(f"nothing of {scene.scene_id} was recorded")


def before_the_end(heard: Heard, settings: Settings) -> Scene:
    """Kill Spark when a scene is recorded and its end is being concluded."""
    scene = scene_of(search=grid(5, 10))
    send(scene, settings)
    while first_recorded(scene, heard) < 50:
        pass
    time.sleep(0.3)  # conclude is at work in MLflow
    assert kill("spark", settings)
    return scene


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

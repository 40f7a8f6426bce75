"""A search that learns goes on at the batch that it had come to, from what is recorded alone."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import pytest

from backtests import local
from mela.grid import plan_runs
from mela.interval import Interval
from mela.messages import MessagePosition, RunChunk
from mela.result import rank
from mela.run import Run
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from replay import ReplayServer
from services.runs.stored_series import stored_series
from streaming import strategies
from streaming.learned_search import LearnedSearch, SearchChanged
from streaming.run import Desk
from tests.warehouse.given import at
from warehouse.database import transaction
from warehouse.ingestion.ingest import ingest
from warehouse.results import finder as results
from warehouse.scenes import learning_scenes
from warehouse.scenes import records as scenes

pytestmark = pytest.mark.integration
SCENE: dict[str, Any] = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-03T00:00:00Z",
    "end": "2023-02-01T00:00:00Z",
    "strategy": {"name": "sma_cross"},
    "validation": {"train": "10d", "test": "8d"},
    "holdout": {"start": "2023-01-25T00:00:00Z"},
    "search": {
        "kind": "tpe",
        "trials": 13,
        "batch": 3,
        "space": {
            "strategy.params.fast": {"low": 2, "high": 30, "integer": True},
            "strategy.params.slow": {"low": 10, "high": 60, "integer": True},
        },
    },
}


@pytest.fixture
def settings(warehouse: Settings, packaged: ReplayServer) -> Settings:
    asking = warehouse.model_copy(update={"replay_url": packaged.url})
    ingest("binance:BTCUSDT", Interval.H1, at("2023-01-01"), at("2023-02-01"), asking)
    return warehouse


def received(scene: Scene, settings: Settings) -> str:
    plan = plan_runs(scene, strategies.current(settings), max_runs=1_000)
    scene_id = str(uuid4())
    with transaction(settings) as connection:
        scenes.receive(
            connection,
            scene_id,
            scene.content(),
            scene.content_hash(),
            runs=plan.runs,
            skipped=plan.skipped,
            name=None,
            origin=MessagePosition("mela.scenes", 0, 0),
        )
        scenes.set_planned(connection, scene_id, cached=0)
    return scene_id


def search_of(scene_id: str, settings: Settings) -> LearnedSearch:
    with transaction(settings) as connection:
        stored = scenes.get(connection, scene_id)
    assert stored is not None
    return LearnedSearch(stored, settings)


def wanted(search: LearnedSearch, settings: Settings) -> list[Run]:
    """Learn what is recorded; return the runs that are to be sent."""
    while search.learn(strategies.current(settings), time.monotonic() + 60):
        pass
    return search.unsent


def execute(scene_id: str, runs: list[Run], settings: Settings) -> None:
    catalogue = strategies.current(settings)
    if not runs:
        return
    digests = {run.strategy: catalogue[run.strategy].digest for run in runs}
    desk = Desk(settings, catalogue.with_failing())
    answers = list(desk.answers(RunChunk(scene_id, 0, runs, digests)))
    with transaction(settings) as connection:
        assert results.save_columns(connection, answers) == []


def test_a_search_that_is_lost_after_each_batch_asks_what_one_process_asks(
    settings: Settings,
) -> None:
    scene = parse_scene(SCENE)
    scene_id = received(scene, settings)
    batches: list[list[str]] = []
    while runs := wanted(search := search_of(scene_id, settings), settings):  # one for each batch
        execute(scene_id, runs[1:-1], settings)  # a batch that is half recorded is not told
        keys = [run.run_key for run in runs]
        assert [run.run_key for run in wanted(search_of(scene_id, settings), settings)] == keys
        execute(scene_id, runs, settings)  # and what is sent twice counts once
        batches.append(keys)
    assert [len(keys) for keys in batches] == [6, 6, 6, 6, 2]  # 13 in each of two windows
    assert search.has_ended
    search.end()

    bench = local.Bench(stored_series(settings), strategies.current(settings))
    alone = local.execute(scene, plan_runs(scene, bench.catalogue, max_runs=1_000), bench)
    with transaction(settings) as connection:
        found = results.of_scene(connection, scene_id, order_by=scene.ranking)
        [counted] = results.progress(connection, [scene_id])
    assert list(map(numbers, found)) == list(map(numbers, rank(alone.documents, scene.ranking)))
    assert (counted.runs, counted.recorded, counted.skipped) == (26, 26, alone.skipped)


def numbers(document: dict[str, Any]) -> dict[str, Any]:
    """Return a result without what tells who asked, and when."""
    made = ("scene_id", "cached", "computed_at", "result_key", "candles_revision", "revisions")
    return {name: value for name, value in document.items() if name not in made}


def test_a_space_with_fewer_runs_ends_the_search_early_and_the_scene_has_those(
    settings: Settings,
) -> None:
    space = {"strategy.params.fast": [2, 40], "strategy.params.slow": [10]}
    few = {"kind": "tpe", "trials": 5, "batch": 4, "space": space}
    scene_id = received(parse_scene({**SCENE, "validation": None, "search": few}), settings)
    search = search_of(scene_id, settings)
    execute(scene_id, wanted(search, settings), settings)
    assert wanted(search, settings) == []
    assert search.has_ended
    search.end()
    with transaction(settings) as connection:
        [counted] = results.progress(connection, [scene_id])
    assert (counted.runs, counted.recorded, counted.skipped) == (1, 1, 1)


def test_a_search_whose_sampler_asks_something_else_now_is_refused(settings: Settings) -> None:
    scene_id = received(parse_scene(SCENE), settings)
    [run, *_] = wanted(search_of(scene_id, settings), settings)
    scene = parse_scene({**SCENE, "cash": 12_345})
    other = wanted(search_of(received(scene, settings), settings), settings)
    execute(scene_id, [run, other[0]], settings)
    with pytest.raises(SearchChanged, match="1 of them are others"):
        wanted(search_of(scene_id, settings), settings)
    with transaction(settings) as connection:
        learning_scenes.close(connection, scene_id)
        [counted] = results.progress(connection, [scene_id])
    assert (counted.runs, counted.recorded) == (2, 2)


def test_only_searches_that_learn_and_go_on_are_taken_up(settings: Settings) -> None:
    planned, cancelled = (received(parse_scene(SCENE), settings) for _ in range(2))
    grid = {"space": {"strategy.params.fast": [5, 6]}}
    other = received(parse_scene({**SCENE, "search": grid}), settings)
    with transaction(settings) as connection:
        scenes.cancel(connection, cancelled)
        assert learning_scenes.under_way(connection) == [planned]
        assert learning_scenes.among(connection, [planned, cancelled, other]) == {planned: True}

"""warehouse/results/stale.py, lineage.py, announced scenes: the story of a restated candle."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from mela.messages import MessagePosition
from mela.portfolio import Portfolio
from mela.result import Provenance, Status
from mela.run import Run
from mela.scene import parse_scene
from mela.settings import Settings
from sources.protocol import FetchedCandles
from tests.warehouse.given import (
    NAME,
    START,
    TODAY,
    a_document,
    a_run,
    a_scene,
    answer,
    at,
    load,
    rows,
)
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.results.lineage import lineage
from warehouse.results.stale import StaleResult, StaleScene, stale_results, stale_scenes
from warehouse.scenes import records as scenes
from warehouse.scenes import users

pytestmark = pytest.mark.integration
CONTENT = {
    "instruments": [NAME],
    "interval": "1h",
    "start": "2024-01-02T00:00:00Z",
    "end": "2024-01-03T00:00:00Z",
    "strategy": {"name": "sma_cross"},
}


def candles(close: float = 100.0, **changes: Any) -> FetchedCandles:
    return answer([close] * 72, **changes)


def stored(settings: Settings, run: Run, scene_id: str, **changes: Any) -> str:
    document = a_document(run, scene_id, **changes)
    with transaction(settings) as connection:
        assert results.save(connection, [document]) == []
    return document["result_key"]


def stale(
    settings: Settings, today: dict[str, Provenance] = TODAY, **which: Any
) -> list[StaleResult]:
    with transaction(settings) as connection:
        return stale_results(connection, today, **which)


def holders(settings: Settings) -> list[StaleScene]:
    with transaction(settings) as connection:
        return stale_scenes(connection, stale_results(connection, TODAY), TODAY)


def is_found(settings: Settings, run: Run) -> bool:
    with transaction(settings) as connection:
        return run.run_key in results.find(connection, [run], TODAY, UUID(int=0))


def finish(settings: Settings, scene_id: str) -> None:
    with transaction(settings) as connection:
        scenes.set_planned(connection, scene_id, cached=0)
        scenes.set_finished(connection, scene_id, None, None)


def published(settings: Settings, scene_id: str | None = None) -> str:
    """A real scene, planned as the planner does it."""
    scene = parse_scene(CONTENT | {"scene_id": scene_id or "6f1c3d0e-0000-4000-8000-000000000001"})
    with transaction(settings) as connection:
        scenes.receive(
            *(connection, scene.scene_id or "", scene.content(), scene.content_hash()),
            runs=1,
            skipped=0,
            name="story",
            origin=MessagePosition("mela.scenes", 0, 7),
        )
        scenes.set_planned(connection, str(scene.scene_id), cached=0)
    return str(scene.scene_id)


def test_a_restated_candle_ends_as_a_version_a_stale_result_and_a_re_run(
    warehouse: Settings,
) -> None:
    load(warehouse, candles())
    first, run = published(warehouse), a_run()
    old = stored(warehouse, run, first, revision=1)
    finish(warehouse, first)
    assert is_found(warehouse, run)
    assert stale(warehouse) == []

    restated = load(warehouse, candles(start=at("2024-01-02T05:00"), close=101.0), at("2024-01-02"))
    assert restated.revision == 2
    versions = rows(warehouse, "SELECT close, revision FROM raw.candle_version ORDER BY opened_at")
    assert set(versions) == {(100.0, 1)}

    assert not is_found(warehouse, run)
    [found] = stale(warehouse)
    assert (found.result_key, found.reasons) == (old, ("candles",))
    assert (found.revisions, found.spoilt_by) == ((1,), 2)
    [holder] = holders(warehouse)
    assert (str(holder.scene_id), holder.can_rerun) == (first, True)

    with transaction(warehouse) as connection:
        again = parse_scene({**holder.content, "scene_id": str(holder.rerun_id)})
        receipt = scenes.announce(connection, again, runs=1, rerun_of=first)
    assert receipt.outcome is scenes.PublicationStatus.NEW
    assert holders(warehouse)[0].rerun_id == holder.rerun_id  # twice is once
    second = published(warehouse, str(holder.rerun_id))
    new = stored(warehouse, run, second, revision=2)
    assert new != old
    assert is_found(warehouse, run)
    assert stale(warehouse) == []  # the old one has been taken the place of, and is still there
    answers = rows(
        warehouse,
        """SELECT s.scene_id::text, s.rerun_of::text, a.result_key FROM ops.scene s
           JOIN ops.scene_run a USING (scene_id) ORDER BY s.rerun_of NULLS FIRST""",
    )
    assert answers == [(first, None, old), (second, first, new)]


def test_each_reason_is_named_apart(warehouse: Settings) -> None:
    load(warehouse, candles())
    scene_id = a_scene(warehouse)
    stored(warehouse, a_run(), scene_id)
    now = TODAY["sma_cross"]

    def reasons(today: dict[str, Provenance]) -> tuple[str, ...]:
        [found] = stale(warehouse, today)
        return found.reasons

    assert stale(warehouse) == []
    assert reasons({"sma_cross": now._replace(strategy_digest="e" * 64)}) == ("strategy",)
    assert reasons({"sma_cross": now._replace(engine_version="9")}) == ("engine",)
    assert reasons({"sma_cross": now._replace(metrics_version="9")}) == ("metrics",)
    assert reasons({}) == ("strategy_gone",)
    load(warehouse, candles(90.0), START)
    assert reasons({"sma_cross": now._replace(engine_version="9")}) == ("candles", "engine")


def test_what_find_never_reuses_is_not_stale(warehouse: Settings) -> None:
    load(warehouse, candles())
    scene_id = a_scene(warehouse)
    failed = {"error": {"class": "ValueError", "sentence": "no"}}
    stored(warehouse, a_run(), scene_id, status=Status.FAILED, **failed)
    load(warehouse, candles(90.0), START)
    assert stale(warehouse) == []


def test_a_scene_asks_for_its_own_only(warehouse: Settings) -> None:
    load(warehouse, candles())
    one, other = a_scene(warehouse), a_scene(warehouse)
    mine = stored(warehouse, a_run(5), one)
    stored(warehouse, a_run(6), other)
    load(warehouse, candles(90.0), START)
    assert len(stale(warehouse)) == 2
    assert [found.result_key for found in stale(warehouse, scene_id=one)] == [mine]
    assert [str(holder.scene_id) for holder in holders(warehouse)] == [one, other]
    assert not holders(warehouse)[0].can_rerun  # it has not ended


def test_an_account_of_several_is_stale_by_any_of_its_series(warehouse: Settings) -> None:
    other = "binance:ETHUSDT"
    load(warehouse, candles())
    load(warehouse, candles(name=other))
    scene_id = a_scene(warehouse)
    run = a_run(others=(other,), portfolio=Portfolio.model_validate({}))
    document = {"instruments": [NAME, other], "revisions": [1, 1]}
    stored(warehouse, run, scene_id, revision=2, **document)
    assert stale(warehouse) == []
    load(warehouse, candles(90.0, name=other), START)
    [found] = stale(warehouse)
    assert (found.reasons, found.spoilt_by) == (("candles",), 2)
    with transaction(warehouse) as connection:
        [trail] = lineage(connection, found.run_key)
    assert [(one.instrument, one.revision) for one in trail.series] == [(NAME, 1), (other, 1)]


def test_lineage_names_the_loads_that_the_result_read(warehouse: Settings) -> None:
    """Also where its candles were superseded since."""
    load(warehouse, answer([100.0] * 30))
    load(warehouse, answer([100.0] * 42, start=at("2024-01-02T06:00")), at("2024-01-02T06:00"))
    scene_id = a_scene(warehouse)
    key = stored(warehouse, a_run(), scene_id, revision=2)
    load(warehouse, answer([99.0] * 5, start=at("2024-01-02")), at("2024-01-02"))

    with transaction(warehouse) as connection:
        [trail] = lineage(connection, key[:12])
        assert lineage(connection, trail.result["run_key"])[0].result == trail.result
        with pytest.raises(ValueError, match="begins with"):
            lineage(connection, "0" * 64)
        with pytest.raises(ValueError, match="hexadecimal"):
            lineage(connection, "x")
    [series] = trail.series
    batches = [(one["id"], one["candles"], one["source"]) for one in series.batches]
    assert batches == [(1, 30, "test"), (2, 18, "test")]
    assert series.batches[0]["code_version"] == "test"
    assert [(one["revision"], one["later"]) for one in series.revisions] == [
        (1, False),
        (2, False),
        (3, True),
    ]
    assert [one["scene_id"] for one in trail.scenes] == [scene_id]


def test_lineage_names_the_loads_of_a_warm_up_beside_a_gap(warehouse: Settings) -> None:
    """Who misses candles rests on all before its end: it does not say where its warm-up began."""
    load(warehouse, answer([100.0] * 24))
    load(warehouse, answer([100.0] * 10, start=at("2024-01-02")), at("2024-01-02"))
    load(warehouse, answer([100.0] * 13, start=at("2024-01-02T11:00")), at("2024-01-02T11:00"))
    stored(warehouse, a_run(), a_scene(warehouse), revision=3, depends_from=None)
    with transaction(warehouse) as connection:
        [trail] = lineage(connection, a_run().run_key)
    [series] = trail.series
    assert [(one["id"], one["candles"]) for one in series.batches] == [(1, 24), (2, 10), (3, 13)]
    assert [one["revision"] for one in series.revisions] == [1, 2, 3]
    assert (series.start, series.end) == (START, at("2024-01-03"))


def test_an_announced_scene_is_planned_as_any_other(warehouse: Settings) -> None:
    scene = parse_scene(CONTENT | {"scene_id": "6f1c3d0e-0000-4000-8000-000000000002"})
    number = str(scene.scene_id)
    with transaction(warehouse) as connection:
        me = users.ensure(connection, "ada")
        assert users.ensure(connection, "ada") == me
        scenes.announce(connection, scene, user_id=me)
        assert scenes.announce(connection, scene).outcome is scenes.PublicationStatus.NEW
        before = scenes.get(connection, number)
    assert before is not None
    assert (before.offset, before.status, before.user_id) == (None, "received", me)

    published(warehouse, number)
    with transaction(warehouse) as connection:
        after = scenes.get(connection, number)
        assert scenes.announce(connection, scene).outcome is scenes.PublicationStatus.REPEATED
        other = parse_scene(CONTENT | {"scene_id": number, "cash": 5.0})
        with pytest.raises(ValueError, match="another scene's"):
            scenes.announce(connection, other)
    assert after is not None
    assert (after.offset, after.runs, after.user_id) == (7, 1, me)


def test_an_announced_scene_that_the_planner_refuses_is_rejected(warehouse: Settings) -> None:
    scene = parse_scene(CONTENT | {"scene_id": "6f1c3d0e-0000-4000-8000-000000000003"})
    said: dict[str, Any] = {"code": "unknown_strategy", "field": "strategy", "sentence": "gone"}
    with transaction(warehouse) as connection:
        scenes.announce(connection, scene)
        origin = MessagePosition("mela.scenes", 0, 3)
        assert scenes.reject(connection, str(scene.scene_id), CONTENT, **said, origin=origin)
        after = scenes.get(connection, str(scene.scene_id))
    assert after is not None
    assert (after.status, after.offset) == ("rejected", 3)


def test_a_user_has_a_name(warehouse: Settings) -> None:
    with transaction(warehouse) as connection:
        for name in ("", " ada", "a" * 101):
            with pytest.raises(ValueError, match="name"):
                users.ensure(connection, name)

"""A scene's time is divided among its stages, all of it and none twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from mela.errors import NotFound
from mela.settings import Settings
from services.monitoring.trace import MEANINGS, steps_of, trace_scene
from tests.warehouse.given import a_document, a_run, a_scene, answer, load
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import records, stages
from warehouse.scenes.stages import Stage

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(*seconds: float | None) -> dict[str, datetime | None]:
    instants = [None if one is None else START + timedelta(seconds=one) for one in seconds]
    return dict(zip(MEANINGS, instants, strict=True))


def spent(ends: dict[str, datetime | None], until: float, *, is_over: bool = True) -> list[object]:
    steps = steps_of(START, ends, START + timedelta(seconds=until), is_over=is_over)
    assert [step.name for step in steps] == list(MEANINGS)
    known = [step for step in steps if step.seconds is not None]
    assert sum(step.seconds or 0 for step in known) == pytest.approx(until)
    assert sum(step.share or 0 for step in known) == pytest.approx(1)
    return [step.seconds for step in steps]


def test_each_stage_lasts_from_the_end_of_the_one_before() -> None:
    assert spent(at(1, 3, 4, 8, 9, 9.5, 10), 10) == [1, 2, 1, 4, 1, 0.5, 0.5]


def test_runs_that_begin_before_all_are_planned_take_no_time_twice() -> None:
    assert spent(at(1, 5, 2, 8, 9, 9.5, 10), 10) == [1, 4, 0, 3, 1, 0.5, 0.5]


def test_a_stage_that_nobody_noted_leaves_its_time_to_the_next() -> None:
    assert spent(at(1, 3, None, None, 9, 9.5, 10), 10) == [1, 2, None, None, 6, 0.5, 0.5]


def test_a_scene_at_work_is_in_its_next_stage_until_now() -> None:
    assert spent(at(1, 3, 4, None, None, None, None), 10, is_over=False) == [
        *(1, 2, 1, 6),
        *(None, None, None),
    ]
    steps = steps_of(START, at(1, 3, 4, *[None] * 4), START + timedelta(seconds=10), is_over=False)
    assert [step.name for step in steps if step.is_open] == ["computed"]


@pytest.mark.integration
def test_a_stored_scene_is_traced_and_each_stage_is_noted_once(warehouse: Settings) -> None:
    scene_id = a_scene(warehouse)
    load(warehouse, answer([1.0]))
    published = datetime.now(UTC) - timedelta(seconds=5)
    with transaction(warehouse) as connection:
        for when in (published, published + timedelta(hours=1)):  # read again: the first stays
            stages.reached(connection, [scene_id], {Stage.PUBLISHED: when, Stage.TAKEN: None})
        records.set_planned(connection, scene_id, cached=0)
        assert not results.save(connection, [a_document(a_run(5), scene_id)])
    with transaction(warehouse) as connection:
        stages.reached(connection, [scene_id], {Stage.RECORDED: None, Stage.CONCLUDING: None})
        records.set_finished(connection, scene_id, best=None, mlflow_run_id=None)

    found = trace_scene(UUID(str(scene_id)), warehouse)

    assert found.status == "finished"
    assert found.started_at == published
    assert 5 <= found.seconds < 60
    assert found.mlflow_s is None
    assert [step.name for step in found.steps if step.seconds is None] == []
    assert sum(step.share or 0 for step in found.steps) == pytest.approx(1)


@pytest.mark.integration
def test_a_stage_of_a_scene_that_there_is_not_is_not_noted(warehouse: Settings) -> None:
    nobody = UUID(int=1)
    with transaction(warehouse) as connection:
        stages.reached(connection, [nobody], {Stage.TAKEN: None})
        assert stages.of_scene(connection, nobody) == {}
    with pytest.raises(NotFound):
        trace_scene(nobody, warehouse)

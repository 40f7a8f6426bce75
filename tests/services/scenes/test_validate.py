"""A dry run tells everything that publishing would, and publishes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from backtests.simulate import provenance
from backtests.strategies import CATALOGUE
from mela.errors import RejectionCode
from mela.grid import plan_runs
from mela.scene import parse_scene
from mela.settings import Settings
from services.scenes.validate import validate_scene
from tests.warehouse.given import NAME, a_document, a_scene, answer, load, rows
from warehouse.database import transaction
from warehouse.results import finder

SCENE: dict[str, Any] = {
    "instruments": [NAME],
    "interval": "1h",
    "start": "2024-01-02T00:00:00Z",
    "end": "2024-01-03T00:00:00Z",
    "strategy": {"name": "sma_cross", "params": {"slow": 30}},
    "search": {"kind": "grid", "space": {"strategy.params.fast": [10, 20, 30]}},
}


def test_every_fault_is_found_with_its_path() -> None:
    wrong = {**SCENE, "cash": -1, "interval": "7h", "colour": "red"}

    found = validate_scene(wrong, Settings(), offline=True)

    assert not found.ok
    assert {one.path for one in found.faults} == {"cash", "interval", "colour"}
    assert {one.code for one in found.faults} == {RejectionCode.INVALID_FIELD}
    assert found.scene is None


def test_a_scene_that_is_no_object_has_one_fault() -> None:
    [fault] = validate_scene([SCENE], Settings(), offline=True).faults

    assert fault.path is None
    assert "a list" in fault.sentence


def test_an_unknown_strategy_is_a_fault_of_its_name() -> None:
    found = validate_scene({**SCENE, "strategy": {"name": "magic"}}, Settings(), offline=True)

    assert [one.code for one in found.faults] == [RejectionCode.UNKNOWN_STRATEGY]
    assert found.faults[0].path == "strategy.name"


def test_impossible_runs_are_counted_as_skipped() -> None:
    found = validate_scene(SCENE, Settings(), offline=True)

    assert (found.ok, found.runs, found.skipped, found.stored) == (True, 2, 1, None)


@pytest.mark.integration
def test_an_instrument_never_loaded_is_a_fault_with_the_command_that_helps(
    warehouse: Settings,
) -> None:
    [fault] = validate_scene(SCENE, warehouse).faults

    assert (fault.path, fault.code) == ("instruments.0", RejectionCode.UNKNOWN_INSTRUMENT)
    assert f"mela ingest {NAME} --interval 1h" in fault.sentence


@pytest.mark.integration
def test_candles_that_end_too_early_are_told_but_no_fault(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 36))  # 2024-01-01 and half of the next day

    found = validate_scene(SCENE, warehouse)

    assert found.ok
    [gap] = found.missing
    assert (gap.start.isoformat(), gap.end.isoformat()) == (
        "2024-01-02T12:00:00+00:00",
        "2024-01-03T00:00:00+00:00",
    )
    assert gap.load.endswith("--from 2024-01-02T12:00:00Z --to 2024-01-03T00:00:00Z")


@pytest.mark.integration
def test_answers_that_are_stored_are_counted_and_nothing_is_written(warehouse: Settings) -> None:
    load(warehouse, answer([100.0] * 48))
    scene_id = a_scene(warehouse, runs=2)
    run = next(iter(plan_runs(parse_scene(SCENE), CATALOGUE, max_runs=10).expand()))
    made_with = provenance("sma_cross", None, CATALOGUE)
    with transaction(warehouse) as connection:
        finder.save(connection, [a_document(run, scene_id, made_with=made_with)])
    before = rows(warehouse, "SELECT count(*) FROM ops.scene")

    found = validate_scene(SCENE, warehouse)

    assert (found.runs, found.stored, found.missing) == (2, 1, ())
    assert rows(warehouse, "SELECT count(*) FROM ops.scene") == before

"""What is stored of runs whose strategy reads further series, and when it is no longer valid."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mela.inputs import Input
from mela.interval import Interval
from mela.result import Result
from mela.run import Run
from mela.settings import Settings
from tests.warehouse.given import NAME, TODAY, a_document, a_run, a_scene, answer, load, rows
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.results.lineage import lineage
from warehouse.results.stale import stale_results

pytestmark = pytest.mark.integration
ETHER = "binance:ETHUSDT"
DAYS, OTHER = Input(interval=Interval.D1, warmup=3), Input(instrument=ETHER)


def reading(**inputs: Input) -> Run:
    return a_run(inputs=inputs or {"daily": DAYS, "other": OTHER})


def given(settings: Settings, run: Run, revisions: list[int]) -> dict[str, Any]:
    """Store a result that was computed on candles of these revisions."""
    made_with = TODAY["sma_cross"].on(revisions)
    document = a_document(
        run, a_scene(settings), made_with=made_with, revision=made_with.candles_revision
    )
    with transaction(settings) as connection:
        assert results.save(connection, [document]) == []
    return document


def found(settings: Settings, run: Run) -> dict[str, Any] | None:
    with transaction(settings) as connection:
        stored = results.find(connection, [run], TODAY, "the-asking-scene")
        stale = stale_results(connection, TODAY)
    assert bool(stored) != bool(stale)  # both ask the one predicate
    return json.loads(stored[run.run_key]) if stored else None


@pytest.fixture
def loaded(warehouse: Settings) -> Settings:
    """A warehouse with hours of both instruments and days of the first, revision 1 each."""
    for name in (NAME, ETHER):
        load(warehouse, answer([100.0] * 96, name=name))
    load(warehouse, answer([100.0] * 4, interval=Interval.D1))
    return warehouse


def test_a_result_with_inputs_is_found_as_it_was_saved(loaded: Settings) -> None:
    run = reading()
    document = given(loaded, run, [1, 1, 1])

    again = found(loaded, run)

    assert again == document | {"scene_id": "the-asking-scene", "cached": True}
    Result.model_validate(again)
    assert again["inputs"] == {
        "daily": {"instrument": None, "interval": "1d", "warmup": 3},
        "other": {"instrument": ETHER, "interval": None, "warmup": 0},
    }
    stored = "SELECT place, interval FROM ops.run_input ORDER BY place"
    assert rows(loaded, stored) == [(1, "1d"), (2, "1h")]


@pytest.mark.parametrize(
    ("name", "interval", "new"),
    [
        (NAME, Interval.H1, [2, 1, 1]),
        (NAME, Interval.D1, [1, 2, 1]),
        (ETHER, Interval.H1, [1, 1, 2]),
    ],
)
def test_a_later_revision_of_any_series_that_was_read_makes_it_stale(
    loaded: Settings, name: str, interval: Interval, new: list[int]
) -> None:
    run = reading()
    given(loaded, run, [1, 1, 1])
    assert found(loaded, run) is not None

    load(loaded, answer([99.0], name=name, interval=interval))

    assert found(loaded, run) is None
    given(loaded, run, new)
    assert found(loaded, run) is not None


def test_a_revision_of_a_series_that_was_not_read_leaves_it_valid(loaded: Settings) -> None:
    run = reading(daily=DAYS)
    given(loaded, run, [1, 1])

    load(loaded, answer([99.0], name=ETHER))

    assert found(loaded, run) is not None


def test_the_lineage_names_each_series_with_its_interval(loaded: Settings) -> None:
    document = given(loaded, reading(), [1, 1, 1])

    with transaction(loaded) as connection:
        (one,) = lineage(connection, document["result_key"])

    assert [(series.instrument, series.interval) for series in one.series] == [
        (NAME, "1h"),
        (NAME, "1d"),
        (ETHER, "1h"),
    ]

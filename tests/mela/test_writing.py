"""What is spelled once for many results is what each would have spelled."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from mela.grid import plan_runs
from mela.inputs import Input
from mela.interval import Interval
from mela.outcome import ErrorPlace
from mela.portfolio import OnDrift, Portfolio
from mela.result import Outcome, Status, result_document
from mela.run import LimitEntry, Run
from mela.scene import parse_scene
from mela.writing import ResultWriter
from tests.mela.catalogue import CATALOGUE, with_space
from tests.mela.test_result import BLOCKS, MADE_WITH, NUMBERS, SCENE_ID

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def outcomes() -> list[Outcome]:
    scene = with_space(
        strategy__params__fast=[5, 10],
        exits__stop_loss=[None, 0.05],
        costs__fee=[0.001, 0.002],
        sizing__fraction=[1.0, 0.5],
        interval=["1h", "1d"],
    )
    runs = plan_runs(parse_scene(scene), CATALOGUE, max_runs=100).expand()
    return [Outcome(run, Status.SUCCEEDED, metrics=NUMBERS, blocks=BLOCKS) for run in runs]


OTHERWISE: list[dict[str, Any]] = [
    {"status": Status.FAILED, "metrics": None, "blocks": None, "error": ("KeyError", "why")},
    {"error_at": ErrorPlace("ideas.py", 17), "status": Status.FAILED, "error": ("KeyError", "why")},
    {"candles": 7},
    {"first_candle_ms": 10**12},
    {"last_candle_ms": 10**12},
    {"depends_from_ms": 10**12},
    {"warmup_missing": 3},
    {"periods_per_year": 365.0},
    {"warnings": ("gaps",)},
]


def test_every_result_of_a_grid_is_the_document_that_it_is_alone() -> None:
    writer = ResultWriter(SCENE_ID)
    assert len(outcomes()) == 32
    for outcome in outcomes() * 2:
        alone = result_document(outcome, MADE_WITH, scene_id=SCENE_ID, computed_at=NOW)
        assert orjson.loads(writer.json(outcome, MADE_WITH, NOW)) == alone


@pytest.mark.parametrize("change", OTHERWISE, ids=lambda change: next(iter(change)))
def test_a_result_that_is_otherwise_does_not_get_what_others_share(change: dict[str, Any]) -> None:
    writer, plain = ResultWriter(SCENE_ID), outcomes()[0]
    for outcome in (plain, dataclasses.replace(plain, **change), plain):
        alone = result_document(outcome, MADE_WITH, scene_id=SCENE_ID, computed_at=NOW)
        assert orjson.loads(writer.json(outcome, MADE_WITH, NOW)) == alone


OTHER_RUNS: list[dict[str, Any]] = [
    {"cash": 5.0},
    {"direction": "short"},
    {"prices": "raw"},
    {"engine": "backtrader"},
    {"risk_free_rate": 0.03},
    {"required_return": 0.05},
    {"others": ("a:B",)},
    {"instrument": "a:B"},
    {"start": NOW},
    {"strategy": "other"},
    {"end": NOW},
    {"entry": LimitEntry(offset=0.01)},
    {"portfolio": Portfolio(rebalance=OnDrift(threshold=0.1))},
    {"inputs": {"daily": Input(interval=Interval.D1)}},
]


@pytest.mark.parametrize("change", OTHER_RUNS, ids=lambda change: next(iter(change)))
def test_a_run_of_another_field_is_another_document(change: dict[str, Any]) -> None:
    writer, plain = ResultWriter(SCENE_ID), outcomes()[0]
    other = dataclasses.replace(plain, run=dataclasses.replace(plain.run, **change))
    for outcome in (plain, other, plain):
        alone = result_document(outcome, MADE_WITH, scene_id=SCENE_ID, computed_at=NOW)
        assert orjson.loads(writer.json(outcome, MADE_WITH, NOW)) == alone


def test_no_field_of_a_run_or_an_outcome_is_left_out_above() -> None:
    """A field that is added must tell results apart: it needs a case in this file."""
    of_a_run = {name for change in OTHER_RUNS for name in change}
    in_the_grid = {"interval", "costs", "sizing", "exits"}
    told_by_each = {"run_key", "params"}
    not_in_a_document = {"warmup"}
    fields = {field.name for field in dataclasses.fields(Run)}
    assert fields == of_a_run | in_the_grid | told_by_each | not_in_a_document
    of_an_outcome = {name for change in OTHERWISE for name in change}
    assert {field.name for field in dataclasses.fields(Outcome)} == of_an_outcome | {"run", "curve"}


def test_other_code_and_another_time_are_told() -> None:
    writer, plain = ResultWriter(SCENE_ID), outcomes()[0]
    later = datetime(2024, 1, 2, tzinfo=UTC)
    for made_with, at in ((MADE_WITH, NOW), (MADE_WITH._replace(candles_revision=9), later)):
        alone = result_document(plain, made_with, scene_id=SCENE_ID, computed_at=at)
        assert orjson.loads(writer.json(plain, made_with, at)) == alone

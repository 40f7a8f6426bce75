"""What is spelled once for many results is what each would have spelled."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from mela.grid import plan_runs
from mela.inputs import Input
from mela.interval import Interval
from mela.outcome import ErrorPlace, Provenance
from mela.portfolio import OnDrift, Portfolio
from mela.result import Outcome, Status, result_document
from mela.result_columns import ResultColumns, ResultRows, columns_of
from mela.risk_limits import RiskLimits
from mela.run import LimitEntry, Run
from mela.scene import parse_scene
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


def columns(
    *outcomes: Outcome, at: datetime = NOW, made_with: Provenance = MADE_WITH
) -> ResultColumns:
    rows = ResultRows(SCENE_ID)
    for outcome in outcomes:
        rows.add(outcome, made_with, at)
    assert len(rows) == len(outcomes)
    return rows.taken()


def rendered(results: ResultColumns) -> list[dict[str, Any]]:
    return [orjson.loads(one.body) for one in results.documents()]


def alone(
    outcome: Outcome, at: datetime = NOW, made_with: Provenance = MADE_WITH
) -> dict[str, Any]:
    return result_document(outcome, made_with, scene_id=SCENE_ID, computed_at=at)


def test_every_result_of_a_grid_is_the_document_that_it_is_alone() -> None:
    assert len(outcomes()) == 32
    results = columns(*outcomes() * 2)
    assert len(results) == 64
    assert rendered(results) == [alone(outcome) for outcome in outcomes() * 2]
    assert [one.run_key for one in results.documents()] == [
        outcome.run.run_key for outcome in outcomes() * 2
    ]


@pytest.mark.parametrize("change", OTHERWISE, ids=lambda change: next(iter(change)))
def test_a_result_that_is_otherwise_does_not_get_what_others_share(change: dict[str, Any]) -> None:
    plain = outcomes()[0]
    three = (plain, dataclasses.replace(plain, **change), plain)
    assert rendered(columns(*three)) == [alone(outcome) for outcome in three]


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
    {"risk": RiskLimits(max_daily_loss=0.05)},
    {"sessions": "regular"},
    {"inputs": {"daily": Input(interval=Interval.D1)}},
]


@pytest.mark.parametrize("change", OTHER_RUNS, ids=lambda change: next(iter(change)))
def test_a_run_of_another_field_is_another_document(change: dict[str, Any]) -> None:
    plain = outcomes()[0]
    other = dataclasses.replace(plain, run=dataclasses.replace(plain.run, **change))
    three = (plain, other, plain)
    assert rendered(columns(*three)) == [alone(outcome) for outcome in three]


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


def test_other_code_and_another_time_are_kept_apart() -> None:
    rows, plain = ResultRows(SCENE_ID), outcomes()[0]
    later = datetime(2024, 1, 2, tzinfo=UTC)
    cases = [(MADE_WITH, NOW), (MADE_WITH._replace(candles_revision=9), later)]
    for made_with, at in cases:
        rows.add(plain, made_with, at)
    assert rendered(rows.taken()) == [alone(plain, at, made_with) for made_with, at in cases]


def test_what_is_taken_is_gone_and_the_next_begins_anew() -> None:
    rows, (first, second) = ResultRows(SCENE_ID), outcomes()[:2]
    rows.add(first, MADE_WITH, NOW)
    assert rendered(rows.taken()) == [alone(first)]
    assert len(rows) == rows.param_bytes == 0
    rows.add(second, MADE_WITH, NOW)
    assert rendered(rows.taken()) == [alone(second)]


def test_an_undefined_metric_is_null_and_no_bit_of_another_is_lost() -> None:
    numbers = NUMBERS._replace(sharpe=math.nan, calmar=math.inf, sortino=1 / 3, skew=5e-324)
    [found] = rendered(columns(dataclasses.replace(outcomes()[0], metrics=numbers)))
    assert found["sharpe"] is None
    assert found["calmar"] is None
    assert (found["sortino"], found["skew"]) == (1 / 3, 5e-324)
    assert type(found["trades"]) is int


def test_documents_become_the_columns_that_they_came_from() -> None:
    failed = {"status": Status.FAILED, "metrics": None, "blocks": None, "error": ("E", "why")}
    every = [*outcomes(), dataclasses.replace(outcomes()[0], **failed)]
    [results] = columns_of([alone(outcome) for outcome in every])
    assert rendered(results) == [alone(outcome) for outcome in every]
    assert rendered(results.part(3, 5)) == [alone(outcome) for outcome in every[3:5]]


def test_a_document_of_older_metrics_has_null_for_later_ones() -> None:
    document = alone(outcomes()[0])
    [results] = columns_of([{k: v for k, v in document.items() if k not in {"trades", "blocks"}}])
    assert rendered(results) == [document | {"trades": None, "blocks": None}]

"""A result names its question and its answer, and says null where a number is undefined."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from mela.block_returns import BlockReturns
from mela.grid import plan_runs
from mela.result import (
    METRICS,
    Metrics,
    Outcome,
    Provenance,
    Result,
    Status,
    rank,
    result_document,
)
from mela.scene import parse_scene
from tests.mela.catalogue import CATALOGUE, SCENE

RUN = next(plan_runs(parse_scene(SCENE), CATALOGUE, max_runs=1).expand())
MADE_WITH = Provenance("d" * 64, "1", "1", 7)
SCENE_ID = "0b6f0000-0000-4000-8000-000000000000"
_KNOWN = (
    *(0.1, 11_000.0, 0.1, 0.2, 1.5, math.nan, -0.1, 0.5, 3, 2, 1, 2 / 3, 0, 9.0, 0, 0.3),
    *(1.0, math.inf, 9.5, -0.05, 1.5, 14.0, 1.1, 0.2, 0.01, 0.06, -0.04, 6.25, 0.05, 0.8),
    *(-0.02, -0.03, 1 / 3, 0.4, 1.9, 12.0, 0.93, 0, 1, 2, 0.0),
)
NUMBERS = Metrics(**(dict.fromkeys(METRICS, 0) | dict(zip(METRICS, _KNOWN, strict=False))))
BLOCKS = BlockReturns.of([[0.1] * 16, [0.01] * 16, [23] * 16])


def document(status: Status = Status.SUCCEEDED, **given: Any) -> dict[str, Any]:
    made_with = given.pop("made_with", MADE_WITH)
    given.setdefault("scene_id", SCENE_ID)
    found = (NUMBERS, BLOCKS) if status is Status.SUCCEEDED else (None, None)
    outcome = Outcome(RUN, status, metrics=found[0], blocks=found[1])
    return result_document(
        outcome, made_with, computed_at=datetime(2024, 1, 1, tzinfo=UTC), **given
    )


def test_a_document_is_a_valid_result_and_comes_back_equal() -> None:
    raw = orjson.dumps(document())
    result = Result.model_validate_json(raw)
    assert orjson.loads(raw) == result.model_dump(mode="json")


def test_an_undefined_number_is_null() -> None:
    assert document()["sortino"] is document()["omega"] is None
    assert document()["sharpe"] == 1.5


def test_a_run_without_numbers_has_null_for_each() -> None:
    empty = document(Status.NO_DATA)
    assert {empty[name] for name in (*METRICS, "blocks")} == {None}


def test_a_result_of_the_first_metrics_is_still_read() -> None:
    """It may wait in Kafka while a newer release is installed."""
    later = {*METRICS[METRICS.index("calmar") :], "blocks"}
    old = {name: value for name, value in document().items() if name not in later}

    result = Result.model_validate(old)

    assert (result.sharpe, result.calmar, result.blocks) == (1.5, None, None)


@pytest.mark.parametrize(
    "change",
    [
        {"strategy_digest": "e" * 64},
        {"engine_version": "2"},
        {"metrics_version": "2"},
        {"candles_revision": 8},
    ],
)
def test_another_circumstance_is_another_answer(change: dict[str, Any]) -> None:
    other = document(made_with=MADE_WITH._replace(**change))
    assert other["run_key"] == document()["run_key"]
    assert other["result_key"] != document()["result_key"]


def test_scenes_share_answers_but_not_failures() -> None:
    other_id = "1b6f0000-0000-4000-8000-000000000000"
    for status, is_shared in ((Status.SUCCEEDED, True), (Status.FAILED, False)):
        mine, other = document(status), document(status, scene_id=other_id)
        assert (mine["result_key"] == other["result_key"]) is is_shared


def test_a_backtest_outside_the_platform_has_no_keys_of_it() -> None:
    alone = document(scene_id=None)
    assert alone["scene_id"] is alone["result_key"] is alone["candles_revision"] is None


def test_the_best_comes_first_nulls_last_ties_by_run_key() -> None:
    rows = [
        {"run_key": key, "sharpe": sharpe, "fees_paid": fees}
        for key, sharpe, fees in (("d", None, 1), ("c", 1.0, 2), ("a", 1.0, 3), ("b", 2.0, 4))
    ]
    assert [row["run_key"] for row in rank(rows, "sharpe")] == ["b", "a", "c", "d"]
    assert [row["run_key"] for row in rank(rows, "fees_paid")] == ["d", "c", "a", "b"]

"""What is spelled once for many results is what each would have spelled."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from mela.grid import plan_runs
from mela.result import Outcome, Status, result_document
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


@pytest.mark.parametrize(
    "change",
    [
        {"cash": 5.0},
        {"direction": "short"},
        {"prices": "raw"},
        {"engine": "backtrader"},
        {"others": ("a:B",)},
        {"instrument": "a:B"},
        {"start": NOW},
        {"strategy": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_run_of_another_field_is_another_document(change: dict[str, Any]) -> None:
    writer, plain = ResultWriter(SCENE_ID), outcomes()[0]
    other = dataclasses.replace(plain, run=dataclasses.replace(plain.run, **change))
    for outcome in (plain, other, plain):
        alone = result_document(outcome, MADE_WITH, scene_id=SCENE_ID, computed_at=NOW)
        assert orjson.loads(writer.json(outcome, MADE_WITH, NOW)) == alone


def test_other_code_and_another_time_are_told() -> None:
    writer, plain = ResultWriter(SCENE_ID), outcomes()[0]
    later = datetime(2024, 1, 2, tzinfo=UTC)
    for made_with, at in ((MADE_WITH, NOW), (MADE_WITH._replace(candles_revision=9), later)):
        alone = result_document(plain, made_with, scene_id=SCENE_ID, computed_at=at)
        assert orjson.loads(writer.json(plain, made_with, at)) == alone

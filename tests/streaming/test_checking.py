"""Strategies that scenes name are checked beside the job, and results say what is known."""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import pytest

from backtests.strategies import CATALOGUE
from mela.grid import plan_runs
from mela.messages import RunChunk, read_chunk
from mela.scene import parse_scene
from mela.settings import Settings
from mela.verdict import Verdict
from streaming import checking
from streaming.run import Desk
from tests.streaming.answered import documents_of
from tests.streaming.test_run import SCENE
from tests.warehouse.given import answer, load
from warehouse.database import transaction
from warehouse.results import verdicts

pytestmark = pytest.mark.integration
NAME = "donchian_breakout"
DIGEST = CATALOGUE[NAME].digest


@pytest.fixture
def settings(warehouse: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The warehouse's, which processes find by the environment; nothing is remembered."""
    load(warehouse, answer(100.0 + np.sin(np.arange(60.0))))
    monkeypatch.setenv("MELA_HOME", str(warehouse.home))
    monkeypatch.setenv("MELA_POSTGRES__DATABASE", warehouse.postgres.database)
    monkeypatch.setattr(checking, "_seen", {})
    monkeypatch.setattr(checking, "_wanted", {})
    return warehouse


def stored(settings: Settings) -> verdicts.StoredCheck | None:
    with transaction(settings) as connection:
        return verdicts.find(connection, [DIGEST]).get(DIGEST)


def lookahead(settings: Settings) -> set[str]:
    """Return what the results of a chunk say."""
    scene = parse_scene({**SCENE, "scene_id": str(uuid4())})
    runs = tuple(plan_runs(scene, CATALOGUE, max_runs=10).expand())
    sent = RunChunk(str(scene.scene_id), 0, runs, {"sma_cross": "0" * 64})
    chunk = read_chunk(sent.to_bytes(), CATALOGUE)
    found = documents_of(Desk(settings, CATALOGUE).answers(chunk))
    return {one["lookahead"] for one in found}


def test_a_strategy_that_a_scene_names_is_checked_in_a_process_of_its_own(
    settings: Settings,
) -> None:
    checking.want({NAME: DIGEST})
    assert checking.is_wanted()

    checking.check_wanted(settings)

    found = stored(settings)
    assert found is not None
    assert found.verdict is Verdict.CLEAN, found.coverage
    assert [one["candles_of"] for one in found.coverage] == [
        "packaged binance:BTCUSDT",
        "a random walk",
    ]
    assert all(one["cuts"] > 90 for one in found.coverage)
    assert not checking.is_wanted()


@pytest.mark.parametrize("limit_s", [0.05, 100.0])
def test_a_check_that_cannot_end_is_not_verified_and_not_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, limit_s: float
) -> None:
    monkeypatch.setattr(checking, "LIMIT_S", limit_s)
    name = NAME if limit_s < 1.0 else "no_such_strategy"
    checking.want({name: DIGEST})

    checking.check_wanted(settings)

    found = stored(settings)
    assert found is not None
    assert found.verdict is Verdict.NOT_VERIFIED
    said = "did not end within 0.05 s" if limit_s < 1.0 else "no strategy is called"
    assert said in found.coverage[0]["unverified"][0]


def test_a_result_does_not_wait_and_says_what_is_known(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lookahead(settings) == {"not_verified"}
    with transaction(settings) as connection:
        digest = CATALOGUE["sma_cross"].digest
        verdicts.store(connection, digest, "sma_cross", Verdict.CLEAN, [])
    monkeypatch.setattr(checking, "_seen", {})  # as some seconds later

    assert lookahead(settings) == {"clean"}

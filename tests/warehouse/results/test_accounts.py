"""What is stored of runs whose instruments share an account."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from mela.block_returns import BlockReturns
from mela.portfolio import OnDrift, Portfolio
from mela.result import Curve, Result, Trade
from mela.run import Run, to_ms
from mela.settings import Settings
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
from warehouse.results import trials

pytestmark = pytest.mark.integration
ETHER = "binance:ETHUSDT"


def two(**changes: Any) -> Run:
    portfolio = Portfolio(rebalance=OnDrift(threshold=0.1))
    return a_run(others=(ETHER,), portfolio=portfolio, **changes)


def given(settings: Settings, run: Run, revisions: list[int], **changes: Any) -> dict[str, Any]:
    """Store a result that was computed on candles of these revisions."""
    made_with = TODAY["sma_cross"].on(revisions)
    revision = made_with.candles_revision
    document = a_document(run, a_scene(settings), made_with=made_with, revision=revision, **changes)
    with transaction(settings) as connection:
        assert results.save(connection, [document]) == []
    return document


def found(settings: Settings, run: Run) -> dict[str, Any] | None:
    with transaction(settings) as connection:
        stored = results.find(connection, [run], TODAY, "the-asking-scene")
    return json.loads(stored[run.run_key]) if stored else None


@pytest.fixture
def loaded(warehouse: Settings) -> Settings:
    """A warehouse where both series have candles of four days, revision 1."""
    for name in (NAME, ETHER):
        load(warehouse, answer([100.0] * 96, name=name))
    return warehouse


def test_what_is_found_is_what_was_saved(loaded: Settings) -> None:
    run = two()
    document = given(loaded, run, [1, 1])
    with transaction(loaded) as connection:
        assert results.of_scene(connection, document["scene_id"]) == [document]
        best = results.best_of(connection, document["scene_id"], "sharpe")
    assert best.overall == document
    again = found(loaded, run)
    assert again == document | {"scene_id": "the-asking-scene", "cached": True}
    Result.model_validate(again)
    assert (again["instruments"], again["revisions"]) == ([NAME, ETHER], [1, 1])
    assert again["portfolio"] == run.portfolio.model_dump(mode="json")
    assert rows(loaded, "SELECT place FROM ops.run_instrument") == [(1,)]


def test_the_trials_of_an_account_are_found_with_its_own_blocks(loaded: Settings) -> None:
    document = given(loaded, two(), [1, 1])
    given(loaded, two(start=at("2024-01-03"), end=at("2024-01-04")), [1, 1])
    span = [datetime.fromisoformat(document[name]) for name in ("start", "end")]
    asked = document["scene_id"], document, "sharpe", 9
    with transaction(loaded) as connection:
        known = trials.known(
            connection,
            document["scene_id"],
            instruments=[ETHER, NAME],
            strategies=["sma_cross"],
            dates=(at("2024-01-01"), at("2024-01-05")),
            interval=document["interval"],
            span=(span[0], span[1]),
        )
        assert trials.best_in_span(connection, *asked) == [document]
    assert (known.n_trials, known.own.tolist()) == (2, [True])
    assert known.blocks[0, 0].tolist() == BlockReturns.unpacked(document["blocks"]).sums


def test_a_single_run_has_no_further_instrument(loaded: Settings) -> None:
    document = given(loaded, a_run(), [1])
    assert (document["portfolio"], document["revisions"]) == (None, None)
    assert found(loaded, a_run()) == document | {"scene_id": "the-asking-scene", "cached": True}
    assert rows(loaded, "SELECT count(*) FROM ops.run_instrument") == [(0,)]


@pytest.mark.parametrize("name", [NAME, ETHER])
def test_a_later_revision_of_any_series_makes_it_stale(loaded: Settings, name: str) -> None:
    run = two()
    given(loaded, run, [1, 1])
    assert found(loaded, run) is not None
    load(loaded, answer([100.0] * 96 + [101.0], name=name))  # after the end: it touches nothing
    assert found(loaded, run) is not None
    load(loaded, answer([100.0] * 30 + [99.0], name=name))
    assert found(loaded, run) is None
    given(loaded, run, [3, 1] if name == NAME else [1, 3])
    assert found(loaded, run) is not None


def test_a_result_stored_with_the_sum_of_its_revisions_is_read_and_judged_like_others(
    loaded: Settings,
) -> None:
    """Earlier releases stored the sum beside the list."""
    run = two()
    document = given(loaded, run, [1, 1])
    with transaction(loaded) as connection:
        connection.execute(text("UPDATE ops.result SET candles_revision = 2"))
    assert found(loaded, run) == document | {"scene_id": "the-asking-scene", "cached": True}
    load(loaded, answer([100.0] * 30 + [99.0], name=ETHER))
    assert found(loaded, run) is None


def test_the_revision_of_one_series_says_nothing_of_the_other(loaded: Settings) -> None:
    """A revision of one series is not compared with those of another."""
    for last in (1.0, 2.0, 3.0):
        load(loaded, answer([100.0] * 96 + [last]))
    run = two()
    given(loaded, run, [4, 1])
    load(loaded, answer([100.0] * 30 + [99.0], name=ETHER))
    assert found(loaded, run) is None


def test_a_trade_keeps_its_instrument(loaded: Settings) -> None:
    document = given(loaded, two(), [1, 1])
    trades = [
        Trade(START, at("2024-01-02"), 1.0, 2.0, 3.0, 0.1, 0.9, "signal", 0.0, 0.0, -0.1, 0.2, name)
        for name in (ETHER, NAME, None)
    ]
    opened_ms = np.array([to_ms(START)], dtype=np.int64)
    with transaction(loaded) as connection:
        curve = Curve(tuple(trades), opened_ms, np.array([1.0]))
        results.save_curve(connection, document["result_key"], curve)
        stored = results.curve(connection, document["result_key"])
    assert stored is not None
    assert list(stored.trades) == trades


def test_unknown_instruments_and_several_without_a_portfolio_are_refused(loaded: Settings) -> None:
    scene_id = a_scene(loaded)
    document = a_document(two(), scene_id, revisions=[1, 1])
    with transaction(loaded) as connection:
        [unknown] = results.save(connection, [document | {"instruments": [NAME, "a:NONE"]}])
        [no_portfolio] = results.save(connection, [document | {"portfolio": None}])
    assert "a:NONE" in unknown.sentence
    assert "portfolio" in no_portfolio.sentence
    assert rows(loaded, "SELECT count(*) FROM ops.run") == [(0,)]

"""One account for several instruments: what a scene may ask, and what its runs are called."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
import yaml

from mela import portfolio
from mela.errors import RejectionCode, SceneInvalid
from mela.grid import Plan, check_space, plan_runs
from mela.inference import infer
from mela.market_checks import check_markets
from mela.messages import RunChunk, read_chunk, read_stored_run
from mela.portfolio import EqualWeights, InverseVolatility, OnDrift, OnSignals, Portfolio
from mela.result import Outcome, Provenance, Result, Status, result_document, result_key
from mela.scene import parse_scene
from mela.settings import REPOSITORY
from tests.mela.catalogue import CATALOGUE, SCENE

SCENE_ID = "0b6f0000-0000-4000-8000-000000000000"
MAJORS = ["binance:ETHUSDT", "binance:BTCUSDT"]
TOGETHER: dict[str, Any] = {**SCENE, "instruments": MAJORS, "mode": "together"}
SPACE = {"strategy.params.fast": [5, 10, 20]}
MADE_WITH = Provenance("d" * 64, "1", "1", None)


def plan(**change: Any) -> Plan:
    return plan_runs(parse_scene({**TOGETHER, **change}), CATALOGUE, max_runs=100)


def refusal(**change: Any) -> SceneInvalid:
    with pytest.raises(SceneInvalid) as caught:
        planned_and_checked(**change)
    return caught.value


def planned_and_checked(**change: Any) -> None:
    made, scene = plan(**change), parse_scene({**TOGETHER, **change})
    known = {name: infer(name) for name in scene.instruments}
    check_markets(scene, known, has_free_shorts=made.has_free_shorts)


def test_one_run_for_all_instruments_whatever_their_order() -> None:
    [run] = plan().expand()
    [turned] = plan(instruments=MAJORS[::-1]).expand()
    assert run.instruments == ("binance:BTCUSDT", "binance:ETHUSDT")
    assert run.portfolio == Portfolio(weights=EqualWeights(), rebalance=OnSignals())
    assert run == turned


def test_a_grid_varies_parameters_and_keeps_the_instruments() -> None:
    search = {
        "kind": "grid",
        "space": {"strategy.params.fast": [5, 10, 40], "exits.stop_loss": [None, 0.1]},
    }
    planned = plan(search=search)
    assert (planned.runs, planned.skipped) == (4, 2)
    assert len({run.run_key for run in planned.expand()}) == 4


def test_trials_drawn_at_random_count_once_for_the_account() -> None:
    space = {"strategy.params.fast": {"low": 2, "high": 60, "integer": True}}
    search = {"kind": "random", "trials": 100, "space": space}
    planned = plan(search=search)  # no more runs than are allowed
    each = plan_runs(
        parse_scene({**TOGETHER, "mode": "each", "search": search}), CATALOGUE, max_runs=200
    )
    assert planned.skipped > 0
    assert (2 * planned.runs, 2 * planned.skipped) == (each.runs, each.skipped)
    assert {run.instruments for run in planned.expand()} == {tuple(sorted(MAJORS))}


def test_a_refused_search_says_what_would_do() -> None:
    said = refusal(search={"kind": "tpe", "trials": 3, "space": SPACE}).sentence
    assert "Take kind grid or random, or take mode each." in said
    # in one process too, where a search that learns is otherwise allowed
    scene = parse_scene({**TOGETHER, "search": {"kind": "tpe", "trials": 3, "space": SPACE}})
    with pytest.raises(SceneInvalid, match="one instrument at a time"):
        check_space(scene, CATALOGUE, max_runs=100)


def test_a_portfolio_of_one_is_another_question_than_a_run() -> None:
    [alone] = plan(instruments=MAJORS[:1]).expand()
    [single] = plan(instruments=MAJORS[:1], mode="each").expand()
    assert (alone.instrument, alone.others) == (single.instrument, ())
    assert alone.run_key != single.run_key


def test_defaults_enter_no_key_and_everything_else_does() -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"weights": {"kind": "inverse_volatility"}},
        {"weights": {"kind": "inverse_volatility", "period": 30}},
        {"weights": {"kind": "fixed", "of": dict.fromkeys(MAJORS, 0.5)}},
        {"rebalance": {"kind": "schedule"}},
        {"rebalance": {"kind": "schedule", "every": "1w"}},
        {"rebalance": {"kind": "drift", "threshold": 0.1}},
    ]
    keys = [next(plan(portfolio=one).expand()).run_key for one in asked]
    assert len(set(keys)) == len(keys)
    spelled = {
        "weights": {"kind": "inverse_volatility", "period": 60},
        "rebalance": {"kind": "signals"},
    }
    assert next(plan(portfolio=spelled).expand()).run_key == keys[1]
    assert keys[0] == next(plan().expand()).run_key
    assert doctest.testmod(portfolio).failed == 0


def test_the_weights_are_given_the_warm_up_that_they_need() -> None:
    weights = {"kind": "inverse_volatility", "period": 64}
    assert next(plan(portfolio={"weights": weights}).expand()).warmup == 128


def test_a_chunk_and_a_result_give_the_same_run_back() -> None:
    said = Portfolio(weights=InverseVolatility(period=30), rebalance=OnDrift(threshold=0.1))
    [run] = plan(portfolio=said.model_dump(mode="json")).expand()
    chunk = RunChunk(SCENE_ID, 0, [run])
    assert read_chunk(chunk.to_bytes(), CATALOGUE).runs == (run,)
    document = result_document(
        Outcome(run, Status.NO_DATA), MADE_WITH.on([2, 5]), scene_id=SCENE_ID
    )
    Result.model_validate(document)
    assert read_stored_run(document, CATALOGUE) == run
    assert document["instruments"] == sorted(MAJORS)
    assert (document["candles_revision"], document["revisions"]) == (None, [2, 5])
    assert list(document) == list(Result.model_fields)


def test_the_message_of_single_runs_says_nothing_of_portfolios() -> None:
    raw = RunChunk(SCENE_ID, 0, list(plan(mode="each").expand())).to_bytes()
    assert b"portfolio" not in raw
    assert b"others" not in raw


def test_each_series_revision_names_the_answer() -> None:
    keys = {
        result_key("r" * 64, Status.SUCCEEDED, MADE_WITH.on(revisions), None)
        for revisions in ([1, 2], [2, 1], [3], [1, 3])
    }
    assert len(keys) == 4
    assert MADE_WITH.on([3]) == MADE_WITH._replace(candles_revision=3)


@pytest.mark.parametrize("whole", [True, False])
def test_the_whole_account_as_a_fraction_says_nothing_beside_the_weights(whole: bool) -> None:
    [run] = plan(sizing={"fraction": 1.0, "whole_units": whole}).expand()
    assert run.portfolio is not None


def test_one_account_has_one_currency() -> None:
    refused = refusal(instruments=["binance:BTCUSDT", "yahoo:AAPL", "yahoo:BTC-EUR"])
    assert (refused.code, refused.field) == (RejectionCode.INVALID_FIELD, "instruments")
    for word in ("binance:BTCUSDT", "USDT", "yahoo:AAPL", "USD"):
        assert word in refused.sentence


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"entry": {"kind": "limit", "offset": 0.01}}, "entry.kind"),
        ({"sizing": {"kind": "units", "units": 1}}, "sizing"),
        ({"sizing": {"fraction": 0.5}}, "sizing"),
        ({"sizing": {"max_exposure": 0.5}}, "sizing"),
        ({"exits": {"time_stop_bars": 3}}, "exits.time_stop_bars"),
        ({"exits": {"daily_loss_limit": 0.1}}, "exits.daily_loss_limit"),
        ({"costs": {"impact": 0.1}}, "costs.impact"),
        ({"costs": {"round_to_tick": True}}, "costs.round_to_tick"),
        ({"engine": "backtrader"}, "engine"),
        ({"search": {"kind": "tpe", "trials": 3, "space": SPACE}}, "search.kind"),
        ({"validation": {"train": "30d", "test": "10d"}}, "validation"),
        ({"holdout": {"start": "2023-06-01T00:00:00Z"}}, "holdout"),
        ({"direction": "both"}, "costs.borrow_rate"),
        (
            {"search": {"kind": "grid", "space": {"exits.time_stop_bars": [None, 3]}}},
            "exits.time_stop_bars",
        ),
        (
            {"search": {"kind": "grid", "space": {"portfolio.weights": ["equal"]}}},
            "search.space.portfolio.weights",
        ),
        ({"portfolio": {"weights": {"kind": "random"}}}, "portfolio.weights"),
        ({"portfolio": {"rebalance": {"kind": "drift", "threshold": 0}}}, "portfolio.rebalance"),
        ({"portfolio": {}, "mode": "each"}, "portfolio"),
        ({"portfolio": {"weights": {"kind": "fixed", "of": {}}}}, "portfolio.weights.of"),
        (
            {"portfolio": {"weights": {"kind": "fixed", "of": dict.fromkeys(MAJORS, 0.6)}}},
            "portfolio.weights.of",
        ),
        (
            {"portfolio": {"weights": {"kind": "fixed", "of": {"binance:BTCUSDT": 0.6}}}},
            "portfolio.weights.of",
        ),
    ],
)
def test_what_a_portfolio_cannot_do_is_refused_with_its_field(
    change: dict[str, Any], field: str
) -> None:
    refused = refusal(**change)
    assert refused.code is RejectionCode.INVALID_FIELD
    assert (refused.field or "").startswith(field)
    assert len(refused.sentence) > 20


def test_whole_units_and_decimal_weights_are_fine() -> None:
    names = ["binance:BTCUSDT", "binance:ETHUSDT", "binance:BNBUSDT"]
    of = dict(zip(names, (0.6, 0.3, 0.1), strict=True))  # 0.9999999999999999 or a bit more
    weights = {"kind": "fixed", "of": of}
    sizing = {"whole_units": True}
    assert plan(instruments=names, portfolio={"weights": weights}, sizing=sizing).runs == 1


def test_the_scene_of_the_page_is_a_scene() -> None:
    file = REPOSITORY / "docs" / "scenes" / "portfolio.yaml"
    scene = parse_scene(yaml.safe_load(file.read_text(encoding="utf-8")))
    assert plan_runs(scene, CATALOGUE, max_runs=1).runs == 1

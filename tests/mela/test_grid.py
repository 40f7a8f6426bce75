"""A grid becomes runs: counted by arithmetic, checked value by value, in one order."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest
import rfc8785

from backtests.strategy import Strategy
from mela.errors import RejectionCode, SceneInvalid
from mela.grid import Plan, plan_runs
from mela.run import Exits, Part, rounded_warmup
from mela.scene import parse_scene
from tests.mela.catalogue import CATALOGUE, SCENE, with_space


def plan(**fields: Any) -> Plan:
    return plan_runs(parse_scene({**SCENE, **fields}), CATALOGUE, max_runs=10_000)


def planned(document: dict[str, Any], max_runs: int = 10_000) -> Plan:
    return plan_runs(parse_scene(document), CATALOGUE, max_runs=max_runs)


def refusal(document: dict[str, Any], max_runs: int = 10_000) -> SceneInvalid:
    with pytest.raises(SceneInvalid) as caught:
        planned(document, max_runs)
    return caught.value


def test_steps_include_both_ends_and_are_decimal() -> None:
    runs = planned(with_space(costs__fee={"from": 0.1, "to": 0.3, "step": 0.1})).expand()
    assert [run.costs.fee for run in runs] == [0.1, 0.2, 0.3]


def test_the_grid_is_the_product_of_its_axes() -> None:
    plan = planned(with_space(strategy__params__fast=[5, 10], exits__stop_loss=[None, 0.05, 0.1]))
    found = {(run.params["fast"], run.exits.stop_loss) for run in plan.expand()}
    assert (plan.runs, plan.skipped) == (6, 0)
    assert found == {(fast, stop) for fast in (5, 10) for stop in (None, 0.05, 0.1)}


def test_a_run_for_each_instrument() -> None:
    plan = planned({**with_space(cash=[1, 2]), "instruments": ["a:X", "a:Y", "a:X"]})
    assert [(run.instrument, run.cash) for run in plan.expand()] == [
        ("a:X", 1.0),
        ("a:X", 2.0),
        ("a:Y", 1.0),
        ("a:Y", 2.0),
    ]


def test_duplicates_count_once() -> None:
    plan = planned(with_space(strategy__params__fast=[5, 5.0, 10], cash=[10000, 10_000.0]))
    assert (plan.runs, plan.skipped) == (2, 0)


def test_a_combination_that_breaks_the_strategys_rule_is_skipped() -> None:
    document = with_space(strategy__params__fast=[5, 20], strategy__params__slow=[10, 30])
    plan = planned({**document, "instruments": ["a:X", "a:Y"]})
    assert (plan.runs, plan.skipped) == (6, 2)
    assert all(run.params["fast"] < run.params["slow"] for run in plan.expand())


def test_a_value_out_of_bounds_rejects_the_scene_even_if_its_combination_breaks_a_rule() -> None:
    refused = refusal(with_space(strategy__params__fast=[5, 0], strategy__params__slow=[-1, 30]))
    assert refused.code is RejectionCode.INVALID_FIELD
    assert refused.field == "search.space.strategy.params.fast"


def test_a_scene_of_which_nothing_remains_is_rejected() -> None:
    assert refusal(with_space(strategy__params__fast=[40, 50])).code is RejectionCode.NOTHING_TO_RUN


@pytest.mark.parametrize("path", ["exits.colour", "name", "rank_by", "instruments", "strategy", ""])
def test_only_fields_that_enter_the_run_key_may_vary(path: str) -> None:
    refused = refusal({**SCENE, "search": {"kind": "grid", "space": {path: [1]}}})
    assert (refused.code, refused.field) == (RejectionCode.INVALID_FIELD, f"search.space.{path}")


@pytest.mark.parametrize(
    "axis",
    [
        {"from": 1, "to": 1e12, "step": 1},
        {"from": 1, "to": 1e308, "step": 1e-300},
        list(range(1, 102)),
    ],
)
def test_too_many_runs_are_refused_before_anything_is_expanded(axis: Any) -> None:
    started_at = time.process_time()  # other work on the machine does not count
    refused = refusal(with_space(cash=axis), max_runs=100)
    assert refused.code is RejectionCode.TOO_MANY_RUNS
    assert time.process_time() - started_at < 1.0


def test_as_many_runs_as_allowed_are_planned() -> None:
    assert planned(with_space(cash={"from": 1, "to": 100, "step": 1}), max_runs=100).runs == 100


def test_scalars_of_every_kind_may_vary() -> None:
    plan = planned(
        with_space(
            interval=["1h", "4h"],
            prices=["raw", "total_return"],
            end=["2023-06-01T00:00:00Z", "2024-01-01T00:00:00Z"],
            strategy__name=["sma_cross"],
            exits__protect_from=["entry", "next"],
        )
    )
    assert plan.runs == len({run.run_key for run in plan.expand()}) == 16


def test_the_run_key_is_the_hash_of_the_canonical_question() -> None:
    plan = planned(
        {
            **SCENE,
            "cash": 5000,
            "strategy": {"name": "sma_cross", "params": {"fast": 5, "slow": 30}},
        }
    )
    asked = {
        "cash": 5000.0,
        "end": "2024-01-01T00:00:00Z",
        "instruments": ["binance:BTCUSDT"],
        "interval": "1h",
        "start": "2023-01-01T00:00:00Z",
        "strategy": {"name": "sma_cross", "params": {"fast": 5.0}},  # slow is at its default
    }
    run = next(plan.expand())
    assert run.run_key == hashlib.sha256(rfc8785.dumps(asked)).hexdigest()


def test_what_does_not_change_the_outcome_does_not_change_the_run_key() -> None:
    keys = {
        next(planned({**SCENE, **change}).expand()).run_key
        for change in (
            {},
            {"name": "x"},
            {"rank_by": "cagr"},
            {"cash": 10000},
            {"scene_id": "0b6f0000-0000-4000-8000-000000000000"},
            {"exits": {"stop_loss": None}},
            {"search": {"kind": "grid", "space": {"strategy.params.fast": [10]}}},
        )
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"cash": 10001},
        {"costs": {"fee": 0.002}},
        {"sizing": {"fraction": 1}},
        {"exits": {"cooldown_bars": 1}},
        {"prices": "raw"},
        {"interval": "4h"},
        {"end": "2024-01-02T00:00:00Z"},
        {"instruments": ["binance:ETHUSDT"]},
        {"strategy": {"name": "sma_cross", "params": {"slow": 31}}},
    ],
)
def test_what_changes_the_outcome_changes_the_run_key(change: dict[str, Any]) -> None:
    before, after = next(planned(SCENE).expand()), next(planned({**SCENE, **change}).expand())
    assert before.run_key != after.run_key


def test_a_run_carries_its_whole_question() -> None:
    run = next(planned({**SCENE, "exits": {"stop_loss": 0.05}}).expand())
    assert dict(run.params) == {"fast": 10, "slow": 30}
    assert run.exits == Exits(stop_loss=0.05)
    assert run.warmup == 64


@pytest.mark.parametrize(
    ("asked", "read"), [(0, 64), (1, 64), (64, 64), (65, 128), (280, 512), (512, 512)]
)
def test_warmup_is_rounded_up_to_a_power_of_two(asked: int, read: int) -> None:
    assert rounded_warmup(asked) == read


@pytest.mark.parametrize("direction", ["short", "both"])
def test_a_plan_says_whether_shorts_state_what_they_cost(direction: str) -> None:
    assert plan(direction=direction).has_free_shorts
    assert not plan(direction=direction, costs={"borrow_rate": 0}).has_free_shorts
    assert not plan().has_free_shorts


def test_sizing_by_the_stop_needs_a_stop() -> None:
    sizing = {"kind": "risk_per_trade"}
    with pytest.raises(SceneInvalid, match="needs a stop loss") as refused:
        plan(sizing=sizing)

    assert refused.value.field == "exits.stop_loss"
    assert plan(sizing=sizing, exits={"stop_loss": 0.05}).runs == 1


def test_a_sizing_that_measures_the_market_asks_for_its_own_warm_up() -> None:
    run = next(plan(sizing={"kind": "atr_risk", "period": 14}).expand())

    assert run.warmup == 512
    assert run.sizing.period == 14


def test_only_a_kind_that_is_not_the_first_enters_the_key() -> None:
    def key(**fields) -> str:
        return next(plan(**fields).expand()).run_key

    assert (
        key(sizing={"kind": "fraction", "fraction": 0.95}) == key(entry={"kind": "market"}) == key()
    )
    assert key(sizing={"kind": "risk_per_trade"}, exits={"stop_loss": 0.1}) != key(
        exits={"stop_loss": 0.1}
    )
    assert key(entry={"kind": "limit", "offset": 0.01}) != key(
        entry={"kind": "stop", "offset": 0.01}
    )


def test_an_unknown_kind_is_told_the_known_ones() -> None:
    with pytest.raises(SceneInvalid, match="one of market, limit, stop") as refused:
        plan(entry={"kind": "iceberg"})

    assert refused.value.field == "entry.kind"


@pytest.mark.parametrize(
    "needed", ["many", -1, None, float("inf"), ZeroDivisionError(), SystemExit(1)]
)
def test_a_strategy_that_cannot_say_its_warmup_rejects_the_scene(needed: Any) -> None:
    """Planning goes on with the next scene."""

    def warmup(_params: Part) -> Any:
        if isinstance(needed, BaseException):
            raise needed
        return needed

    mine = _asking(warmup)
    scene = parse_scene({**SCENE, "strategy": {"name": "mine"}, "search": None})
    with pytest.raises(SceneInvalid) as refused:
        plan_runs(scene, {"mine": mine}, max_runs=10)
    assert (refused.value.field, refused.value.code) == ("strategy.name", "unknown_strategy")
    assert "`warmup`" in refused.value.sentence


def test_a_warmup_between_two_candles_is_the_longer_one() -> None:
    assert _asking(lambda _params: 64.5).warmup({}) == 65


def _asking(warmup: Any) -> Strategy:
    never: Any = None
    return Strategy("mine", "Mine.", Part, "digest", never, warmup)

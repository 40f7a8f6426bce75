"""Signals of several strategies as one, from the scene's document to the message and back."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from backtests.indicators import Indicators
from backtests.signals import Cross, Signals
from backtests.simulate import run_all
from backtests.strategies import CATALOGUE
from backtests.strategy import REGISTERED, Broken, Catalogue, covering, strategy
from backtests.testing.instrument import candles_of
from mela.errors import SceneInvalid
from mela.grid import Plan, plan_runs
from mela.interval import HOUR_MS
from mela.messages import RunChunk, read_chunk, read_stored_run
from mela.result import Status, run_fields
from mela.run import Part
from mela.scene import parse_scene
from tests.backtests.kernel.test_laws import walk

SCENE_ID = "0b6f0d8e-5ad1-4bd0-a0d8-2ab6d6a7b8c1"
SMA_RSI = [{"name": "sma_cross", "params": {"fast": 5, "slow": 20}}, {"name": "rsi_reversion"}]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch):
    """Register parts that say what a test tells them to."""

    def register(name: str, said: Signals | Cross) -> None:
        def part(candles, params, indicators):
            """Say it."""
            return said

        part.__name__ = name
        monkeypatch.setitem(REGISTERED, name, None)  # so that it is taken out again
        del REGISTERED[name]
        strategy(Part, warmup=lambda _params: 5)(part)

    return register


def at(*bars: int) -> np.ndarray:
    return np.isin(np.arange(10), bars)


def combined(**params: Any) -> tuple[list[int], ...]:
    model = CATALOGUE["composite"].params.model_validate(params)
    candles = candles_of([(9, 9, 9, 9)] * 10)
    found = CATALOGUE["composite"].signals(candles, model, Indicators(candles)).mirrored()
    return tuple(np.flatnonzero(signal).tolist() for signal in found)


def plan(params: dict[str, Any], **space: Any) -> Plan:
    search = {"search": {"kind": "grid", "space": space}} if space else {}
    return plan_runs(
        parse_scene(
            {
                "instruments": ["a:X"],
                "interval": "1h",
                "start": "2024-01-20T00:00:00Z",
                "end": "2024-02-20T00:00:00Z",
                "strategy": {"name": "composite", "params": params},
                **search,
            }
        ),
        CATALOGUE,
        max_runs=1_000,
    )


def key(params: dict[str, Any]) -> str:
    [run] = plan(params).expand()
    return run.run_key


def refusal(params: dict[str, Any], **space: Any) -> tuple[str | None, str]:
    with pytest.raises(SceneInvalid) as refused:
        plan(params, **space)
    return refused.value.field, refused.value.sentence


def test_rules_count_the_parts_that_are_in(given) -> None:
    never = at()
    given("one", Signals(at(1), at(7), never, never))  # in on 1 to 6
    given("two", Signals(at(3), at(5), never, never))  # in on 3 and 4
    given("three", Signals(at(4), at(8), never, never))  # in on 4 to 7
    parts = [{"name": "one"}, {"name": "two"}, {"name": "three"}]

    assert combined(rule="all", parts=parts) == ([4], [5], [], [])
    assert combined(rule="any", parts=parts) == ([1], [8], [], [])
    assert combined(rule="vote", parts=parts) == ([3], [7], [], [])  # two of three
    assert combined(rule="vote", votes=3, parts=parts) == ([4], [5], [], [])
    assert combined(rule="vote", votes=1, parts=parts) == ([1], [8], [], [])


def test_shorts_are_counted_apart(given) -> None:
    given("mirrored", Signals(at(2), at(5)))
    given("explicit", Signals(at(1), at(6), at(4), at(8)))
    parts = [{"name": "mirrored"}, {"name": "explicit"}]

    # mirrored is short from 5 on, explicit on 4 to 7
    assert combined(parts=parts) == ([2], [5], [5], [8])


def test_a_part_is_flat_where_enter_and_exit_stand_together(given) -> None:
    given("both", Signals(at(2, 4, 6), at(4, 6), at(), at()))

    assert combined(parts=[{"name": "both"}])[:2] == ([2], [4])


def test_lines_that_cross_are_in_on_their_side_and_enter_only_from_a_known_one(given) -> None:
    line = np.array([np.nan, 2, 2, 0, 1, 1, 2, 2, 0, 0])
    given("lines", Cross(line, np.ones(10)))

    # On bar 1 it is above, but came from nowhere; on bars 4 and 5 it has not crossed yet
    assert combined(parts=[{"name": "lines"}]) == ([6], [3, 8], [3, 8], [6])


def test_a_single_part_gives_the_signals_of_its_strategy() -> None:
    candles = walk(600, seed=5)
    indicators = Indicators(candles)
    part = {"name": "sma_cross", "params": {"fast": 3, "slow": 9}}
    model = CATALOGUE["composite"].params.model_validate({"parts": [part]})
    alone = CATALOGUE["sma_cross"]

    found = CATALOGUE["composite"].signals(candles, model, indicators).mirrored()
    said = alone.signals(candles, alone.params(fast=3, slow=9), indicators).signals().mirrored()

    assert [signal.tolist() for signal in found] == [signal.tolist() for signal in said]


def test_it_warms_up_as_long_as_its_longest_part() -> None:
    assert CATALOGUE["composite"].warmup({"parts": SMA_RSI}) == 280
    assert CATALOGUE["composite"].warmup({"parts": SMA_RSI[:1]}) == 20


@pytest.mark.parametrize(
    ("params", "field", "sentence"),
    [
        ({"parts": [{"name": "sma_cross", "params": {"fast": 0}}]}, "parts.0.params.fast", "to 1"),
        (
            {"parts": [*SMA_RSI, {"name": "ema_cross", "params": {"fast": 30}}]},
            "parts.2.params",
            "≥",
        ),
        ({"parts": [{"name": "sma_cross", "params": {"fats": 3}}]}, "parts.0.params.fats", "field"),
        ({"parts": [{"name": "nobody"}]}, "parts.0.name", "there are adx_trend, bollinger"),
        ({"parts": [{"name": "composite"}]}, "parts.0.name", "cannot be a part"),
        ({"parts": [{"params": {}}]}, "parts.0.name", "required"),
        ({"parts": [{"name": "sma_cross", "weight": 2}]}, "parts.0.weight", "field"),
        ({"parts": [{"name": "sma_cross"}] * 21}, "parts", "at most 20"),
        ({"parts": []}, "parts", "at least 1"),
        ({"parts": SMA_RSI, "rule": "vote", "votes": 3}, None, "3 > 2"),
        ({"parts": SMA_RSI, "votes": 1}, None, "rule vote"),
        ({"parts": SMA_RSI, "rule": "vote", "votes": 0}, "votes", "1"),
    ],
)
def test_a_fault_is_told_with_its_path(params: dict, field: str | None, sentence: str) -> None:
    path, said = refusal(params)

    assert path == ".".join(["strategy.params", *([field] if field else [])])
    assert sentence in said


def test_run_keys_leave_defaults_out_and_know_numbers_only() -> None:
    spelled = [
        {"name": "sma_cross", "params": {"slow": 20.0, "fast": 5.0}},
        {"name": "rsi_reversion", "params": {"period": 14, "lower": 30}},
    ]

    assert key({"parts": SMA_RSI}) == key({"parts": spelled, "rule": "all", "votes": None})
    assert key({}) == key({"parts": [{"name": "sma_cross"}, {"name": "macd_cross"}]})
    assert len({key({"parts": SMA_RSI}), key({"parts": SMA_RSI[::-1]}), key({})}) == 3


def test_a_grid_varies_parameters_of_parts() -> None:
    found = plan(
        {"parts": SMA_RSI},
        **{
            "strategy.params.parts.0.params.fast": {"from": 5, "to": 20, "step": 5},
            "strategy.params.parts.1.params.period": [7, 14],
            "strategy.params.rule": ["all", "any"],
        },
    )

    assert (found.runs, found.skipped) == (12, 4)  # fast = slow = 20 is left out
    fasts = {run.params["parts"][0]["params"]["fast"] for run in found.expand()}
    assert fasts == {5, 10, 15}
    assert len({run.run_key for run in found.expand()}) == 12


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("parts.0.params.fast", 0, "greater than or equal to 1"),
        ("parts.2.params.fast", 5, "nothing at this path"),
        ("parts.0.params.speed", 5, "no such field"),
    ],
)
def test_a_grid_that_cannot_be_meant_names_its_path(path: str, value: int, sentence: str) -> None:
    field, said = refusal({"parts": SMA_RSI}, **{f"strategy.params.{path}": [value]})

    assert field == f"search.space.strategy.params.{path}"
    assert sentence in said


def test_a_path_into_parts_that_the_scene_leaves_to_the_default_is_refused() -> None:
    field, said = refusal({}, **{"strategy.params.parts.0.params.fast": [5]})

    assert field == "search.space.strategy.params.parts.0.params.fast"
    assert "nothing at this path" in said


def test_it_comes_through_a_message_as_it_was() -> None:
    runs = tuple(plan({"parts": SMA_RSI}, **{"strategy.params.rule": ["all", "any"]}).expand())
    chunk = RunChunk(SCENE_ID, 0, runs)

    assert read_chunk(chunk.to_bytes(), CATALOGUE) == chunk


def test_a_stored_result_leads_back_to_its_run() -> None:
    [run] = plan({"parts": SMA_RSI, "rule": "any"}).expand()

    assert read_stored_run(run_fields(run, "d" * 64), CATALOGUE) == run


def test_it_runs_as_the_scene_says() -> None:
    candles = walk(1_200, seed=6)
    [run] = plan({"parts": SMA_RSI, "rule": "any"}).expand()

    [outcome] = run_all(candles, [run])

    assert outcome.status is Status.SUCCEEDED, outcome.error
    assert outcome.metrics is not None
    assert outcome.metrics.trades > 5
    assert candles.opened_ms[1] - candles.opened_ms[0] == HOUR_MS


def test_its_digest_is_of_all_strategies(given) -> None:
    before = covering(REGISTERED)["composite"]
    given("newcomer", Signals(at(), at()))

    after = CATALOGUE["composite"]
    assert after.source == before.source
    assert len({before.source, before.digest, after.digest}) == 3
    without = {name: one for name, one in REGISTERED.items() if name != "newcomer"}
    assert covering(without)["composite"].digest == before.digest


def test_a_part_that_is_broken_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["backtests.strategies.composite"]
    broken = {"x": Broken("mine.py", ("mine",), "SyntaxError: no")}
    monkeypatch.setattr(module, "CATALOGUE", Catalogue(REGISTERED, broken))

    with pytest.raises(ValidationError, match=r"could not be loaded from mine.py: SyntaxError: no"):
        module.CompositePart(name="mine")

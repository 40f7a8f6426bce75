"""A group of many variants is made again instead of listed, and gives the same runs."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from backtests.strategies import CATALOGUE as BUILT_IN
from mela import variant_list
from mela.errors import SceneInvalid
from mela.grid import Plan, plan_runs
from mela.scene import parse_scene
from mela.variant_list import ManyVariants
from tests.mela.catalogue import CATALOGUE, with_space

BREAKS_A_RULE = with_space(
    strategy__params__fast=[5, 10, 20, 30], strategy__params__slow=[10, 20, 20.0, 40]
)
SPACES = {
    "one axis": with_space(strategy__params__fast=[5, 6, 7, 8, 9]),
    "a rule of the whole and a value that comes twice": BREAKS_A_RULE,
    "a group before and one behind": {
        **with_space(
            strategy__params__fast=[5, 6, 7],
            exits__stop_loss=[None, 0.05, 0.1, 0.2],
            interval=["1h", "4h"],
        ),
        "instruments": ["a:X", "a:Y"],
    },
    "many of a part": with_space(
        exits__stop_loss=[None, 0.05, 0.1], exits__take_profit=[None, 0.1, 0.2]
    ),
}


def planned(document: dict[str, Any]) -> Plan:
    return plan_runs(parse_scene(document), CATALOGUE, max_runs=10**6)


@pytest.mark.parametrize("document", SPACES.values(), ids=SPACES)
def test_runs_are_the_same_whether_variants_are_listed_or_made_again(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = planned(document)
    assert all(isinstance(group, list) for group in listed.groups)

    monkeypatch.setattr(variant_list, "MOST_LISTED", 2)
    plan = planned(document)
    [many] = [group for group in plan.groups if isinstance(group, ManyVariants)][:1]

    assert (plan.runs, plan.skipped) == (listed.runs, listed.skipped)
    assert list(plan.expand()) == list(listed.expand())
    [whole] = [group for group in listed.groups if len(group) == len(many) and len(group) > 2][:1]
    assert list(many) == whole
    assert (many[0], many[-1], many[1:3]) == (whole[0], whole[-1], whole[1:3])
    assert plan.has_free_shorts == listed.has_free_shorts
    assert plan.inputs == listed.inputs


@pytest.mark.parametrize("most_kinds", [0, 1_000])
def test_what_no_single_field_can_tell_is_refused_among_many_too(
    most_kinds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variant_list, "MOST_LISTED", 2)
    monkeypatch.setattr(variant_list, "MOST_KINDS", most_kinds)
    document = with_space(
        exits__trailing_start=[0.0, 0.01, 0.02], exits__trailing_stop=[None, 0.01, 0.02]
    )
    with pytest.raises(SceneInvalid, match="trailing stop"):
        planned(document)


def test_a_plan_of_a_hundred_thousand_runs_takes_a_few_megabytes() -> None:
    document = with_space(
        strategy__params__fast={"from": 1, "to": 100, "step": 1},
        strategy__params__slow={"from": 101, "to": 1_100, "step": 1},
    )
    scene = parse_scene({**document, "strategy": {"name": "sma_cross", "params": {}}})
    tracemalloc.start()
    plan = plan_runs(scene, BUILT_IN, max_runs=10**6)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert plan.runs == 100_000
    assert held < 5_000_000
    first = next(plan.expand())
    assert (first.params["fast"], first.params["slow"]) == (1, 101)

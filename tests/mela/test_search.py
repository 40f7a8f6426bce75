"""A random search becomes runs: seeded, pure, in bounds; a scene says how it is validated."""

from __future__ import annotations

from typing import Any

import pytest

from mela.errors import RejectionCode, SceneInvalid
from mela.grid import Plan, choose, make_run, plan_runs
from mela.run import instant_text
from mela.scene import parse_scene
from tests.mela.catalogue import CATALOGUE, SCENE

FAST = {"low": 2, "high": 50, "integer": True}
SLOW = {"from": 20, "to": 60, "step": 20}


def searched(space: dict[str, Any], **change: Any) -> dict[str, Any]:
    search = {"kind": "random", "trials": 40, "space": space}
    search |= {name: change.pop(name) for name in ("kind", "trials", "seed") if name in change}
    return {**SCENE, "search": search, **change}


def plan(document: dict[str, Any], max_runs: int = 10_000) -> Plan:
    return plan_runs(parse_scene(document), CATALOGUE, max_runs=max_runs)


def keys(document: dict[str, Any]) -> list[str]:
    return [run.run_key for run in plan(document).expand()]


def refusal(document: dict[str, Any], max_runs: int = 10_000) -> SceneInvalid:
    with pytest.raises(SceneInvalid) as caught:
        plan(document, max_runs)
    return caught.value


BOTH = {"strategy.params.fast": FAST, "strategy.params.slow": SLOW}


def test_the_same_seed_draws_the_same_runs_in_the_same_order() -> None:
    assert keys(searched(BOTH)) == keys(searched(BOTH))
    assert keys(searched(BOTH)) == keys(searched(dict(reversed(BOTH.items()))))
    assert keys(searched(BOTH)) != keys(searched(BOTH, seed=1))


def test_more_trials_begin_with_the_same_draws() -> None:
    few, many = keys(searched(BOTH, trials=10)), keys(searched(BOTH, trials=30))
    assert many[: len(few)] == few


def test_draws_repeated_or_against_the_strategys_rule_are_no_runs() -> None:
    found = plan(searched(BOTH, trials=200))
    runs = list(found.expand())
    assert all(run.params["fast"] < run.params["slow"] for run in runs)
    assert len({run.run_key for run in runs}) == len(runs) == found.runs
    assert found.skipped > 0
    assert found.runs + found.skipped < 200  # some draws came twice


def test_a_drawn_run_has_the_key_of_the_same_run_asked_alone() -> None:
    run = next(plan(searched(BOTH)).expand())
    alone = {**SCENE, "strategy": {"name": "sma_cross", "params": dict(run.params)}}
    assert keys(alone) == [run.run_key]


def test_ranges_are_kept_and_numbers_are_short() -> None:
    space = {
        "exits.stop_loss": {"low": 0.001, "high": 0.1, "log": True},
        "exits.cooldown_bars": {"low": 0, "high": 3, "integer": True},
        "cash": {"low": 100.5, "high": 200.5},
    }
    runs = list(plan(searched(space, trials=400)).expand())
    stops = [run.exits.stop_loss or 0 for run in runs]
    assert 0.001 <= min(stops) < 0.0015
    assert 0.07 < max(stops) <= 0.1
    assert 0.4 < sum(stop < 0.01 for stop in stops) / len(stops) < 0.6  # the middle magnitude
    assert {run.exits.cooldown_bars for run in runs} == {0, 1, 2, 3}
    assert all(len(repr(run.cash)) <= 7 for run in runs)


def test_the_number_of_drawn_runs_is_checked_before_anything_is_drawn() -> None:
    refused = refusal(searched(BOTH, trials=10**12))
    assert refused.code is RejectionCode.TOO_MANY_RUNS


@pytest.mark.parametrize(
    ("space", "field"),
    [
        ({"strategy.params.fast": {"low": 0, "high": 9}}, "strategy.params.fast"),
        ({"exits.stop_loss": {"low": 0.5, "high": 1.0}}, "exits.stop_loss"),
        ({"exits.stop_loss": {"low": 0.5, "high": 0.4}}, "exits.stop_loss"),
        ({"exits.stop_loss": {"low": 0.0, "high": 0.4, "log": True}}, "exits.stop_loss"),
        (
            {"strategy.params.fast": {"low": 1.5, "high": 9, "integer": True}},
            "strategy.params.fast",
        ),
        ({"exits.colour": [1]}, "exits.colour"),
        ({"cash": []}, "cash"),
    ],
)
def test_a_range_that_cannot_be_drawn_from_is_refused(space: dict[str, Any], field: str) -> None:
    refused = refusal(searched(space))
    assert (refused.code, refused.field) == (RejectionCode.INVALID_FIELD, f"search.space.{field}")


def test_a_grid_has_no_ranges() -> None:
    document = {**SCENE, "search": {"kind": "grid", "space": {"cash": {"low": 1, "high": 2}}}}
    assert "kind: random" in refusal(document).sentence


def test_a_search_that_learns_has_its_number_of_runs_and_names_none() -> None:
    found = plan(searched(BOTH, kind="tpe", trials=7, instruments=["a:X", "a:Y"]))
    assert (found.runs, list(found.expand())) == (14, [])
    assert refusal(searched(BOTH, kind="tpe", trials=7), max_runs=6).code == "too_many_runs"


def test_what_no_field_can_tell_is_refused_before_a_search_learns() -> None:
    stop = {"exits.trailing_start": {"low": 0.1, "high": 0.2}}
    assert refusal(searched(stop, kind="tpe")).field == "exits.trailing_start"
    both = {**stop, "exits.trailing_stop": {"low": 0.01, "high": 0.05}}
    assert plan(searched(both, kind="tpe")).runs == 40
    short = plan(searched({"direction": ["long", "both"]}, kind="tpe", trials=2))
    assert short.has_free_shorts


def test_a_choice_is_one_run_or_none() -> None:
    scene = parse_scene(SCENE)
    groups = choose(scene, CATALOGUE, {"strategy.params.fast": 7})
    assert groups is not None
    assert make_run("a:X", groups).params == {"fast": 7, "slow": 30}
    assert choose(scene, CATALOGUE, {"strategy.params.fast": 30}) is None


def test_content_can_be_read_again_whatever_its_alternatives() -> None:
    scene = parse_scene(
        {
            **searched(BOTH),
            "sizing": {"kind": "cash", "amount": 5},
            "entry": {"kind": "limit", "offset": 0.01},
        }
    )
    again = parse_scene(scene.content())
    assert again == scene
    other = parse_scene({**scene.content(), "sizing": {"kind": "units", "units": 5}})
    assert other.content_hash() != scene.content_hash()


WALK = {"kind": "walk_forward", "train": "120d", "test": "60d"}
GRID = {"kind": "grid", "space": {"strategy.params.fast": [5, 10]}}


def spans(document: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(instant_text(run.start), instant_text(run.end)) for run in plan(document).expand()]
    return list(dict.fromkeys(found))


def test_a_walk_forward_runs_every_variant_on_every_training_window() -> None:
    document = {**SCENE, "search": GRID, "validation": WALK}
    found = plan(document)
    assert (found.runs, found.skipped) == (10, 0)
    assert spans(document) == [
        ("2023-01-01T00:00:00Z", "2023-05-01T00:00:00Z"),
        ("2023-03-02T00:00:00Z", "2023-06-30T00:00:00Z"),
        ("2023-05-01T00:00:00Z", "2023-08-29T00:00:00Z"),
        ("2023-06-30T00:00:00Z", "2023-10-28T00:00:00Z"),
        ("2023-08-29T00:00:00Z", "2023-12-27T00:00:00Z"),
    ]
    assert len({run.run_key for run in found.expand()}) == 10


def test_windows_of_random_trials_see_the_same_draws() -> None:
    document = {**searched(BOTH), "validation": WALK}
    found: dict[str, list[Any]] = {}
    for run in plan(document).expand():
        found.setdefault(instant_text(run.start), []).append(run.params)
    assert len(found) == 5
    assert all(params == found["2023-01-01T00:00:00Z"] for params in found.values())


def test_the_search_ends_where_the_holdout_starts() -> None:
    holdout = {"start": "2023-10-01T00:00:00Z"}
    document = {**SCENE, "search": GRID, "holdout": holdout}
    assert spans(document) == [("2023-01-01T00:00:00Z", "2023-10-01T00:00:00Z")]
    walked = spans({**document, "validation": WALK})
    assert max(end for _, end in walked) < "2023-10-01T00:00:00Z"
    assert spans({**searched(BOTH), "holdout": holdout}) == spans(document)


def test_skipped_counts_each_window() -> None:
    space = {"strategy.params.fast": [5, 40]}
    found = plan({**SCENE, "search": {"kind": "grid", "space": space}, "validation": WALK})
    assert (found.runs, found.skipped) == (5, 5)


def test_windows_count_before_anything_is_expanded() -> None:
    document = {**SCENE, "search": GRID, "validation": WALK}
    assert refusal(document, max_runs=9).code is RejectionCode.TOO_MANY_RUNS
    assert plan(document, max_runs=10).runs == 10


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"validation": {**WALK, "train": "400d"}}, "validation"),
        ({"validation": {**WALK, "train": "0d"}}, "validation"),
        ({"validation": {**WALK, "train": "90 days"}}, "validation.train"),
        ({"validation": {**WALK, "purge": "1d"}}, "validation.purge"),
        ({"validation": {**WALK, "train": "90d"}, "interval": "1w"}, "validation"),
        ({"validation": {**WALK, "train": "90d"}, "interval": "1mo"}, "validation"),
        ({"holdout": {"start": "2024-01-01T00:00:00Z"}}, "holdout"),
        ({"holdout": {"start": "2023-10-01T00:00"}}, "holdout.start"),
        ({"holdout": {"start": "2023-02-01T00:00:00Z"}, "validation": WALK}, "validation"),
        (
            {"validation": WALK, "search": {"space": {"start": ["2023-02-01T00:00:00Z"]}}},
            "search.space.start",
        ),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(change: dict[str, Any], field: str) -> None:
    refused = refusal({**SCENE, **change})
    assert (refused.code, refused.field) == (RejectionCode.INVALID_FIELD, field), refused.sentence


def test_months_are_counted_in_candles() -> None:
    validation = {"train": "6c", "test": "3c"}
    document = {**SCENE, "interval": "1mo", "validation": validation}
    assert spans(document) == [
        ("2023-01-01T00:00:00Z", "2023-07-01T00:00:00Z"),
        ("2023-04-01T00:00:00Z", "2023-10-01T00:00:00Z"),
    ]


def test_without_a_validation_no_key_changes() -> None:
    """A holdout only moves the end, so that runs are shared with a scene that ends there."""
    document = {**SCENE, "search": GRID}
    ends = {**document, "end": "2023-10-01T00:00:00Z"}
    held = {**document, "holdout": {"start": "2023-10-01T00:00:00Z"}}
    assert keys(ends) == keys(held)

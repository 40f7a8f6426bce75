"""TPE asks and is told: seeded, in bounds, silent, and each trial is a run like any other."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState

from backtests.local import Bench, execute, whole_series
from backtests.search.tpe import Study, Tpe
from backtests.strategies import CATALOGUE
from mela.errors import SceneInvalid
from mela.grid import choose, make_run, plan_runs, window_variants
from mela.scene import parse_scene
from mela.search import Drawn, Range, Steps
from tests.backtests.search.swings import SCENE, read

SPACE: dict[str, Drawn] = {
    "a": Range(low=0.0, high=10.0),
    "b": (None, 0.5),
    "c": Steps.model_validate({"from": 0.1, "to": 0.3, "step": 0.1}),
    "d": Range(low=1, high=1_000, log=True, integer=True),
}


def asked(seed: int, trials: int) -> list[dict[str, Any]]:
    search = Tpe(SPACE, seed=seed)
    found: list[dict[str, Any]] = []
    for _ in range(trials):
        found.append(search.ask())
        search.tell(-((found[-1]["a"] - 3.0) ** 2))
    return found


def test_the_same_seed_and_answers_give_the_same_questions() -> None:
    assert asked(1, 15) == asked(1, 15)
    assert asked(1, 15) != asked(2, 15)


def test_it_learns_where_the_best_is_and_stays_in_bounds() -> None:
    found = asked(0, 60)
    late = [abs(one["a"] - 3.0) for one in found[40:]]
    assert sum(late) / len(late) < 1.0  # of uniform draws it would be about 2.9
    assert {one["b"] for one in found} == {None, 0.5}
    assert {one["c"] for one in found} == {0.1, 0.2, 0.3}
    assert all(1 <= one["d"] <= 1_000 and one["d"].is_integer() for one in found)


def test_a_lower_value_may_be_the_better_one() -> None:
    search = Tpe({"a": Range(low=0.0, high=10.0)}, lower=True)
    found: list[Any] = []
    for _ in range(40):
        found.append(search.ask()["a"])
        search.tell(found[-1])
    assert found[-1] < 2.0


def test_asking_and_telling_take_turns() -> None:
    search = Tpe(SPACE)
    with pytest.raises(RuntimeError, match="expected `ask`"):
        search.tell(1.0)
    search.ask()
    with pytest.raises(RuntimeError, match="before the next"):
        search.ask()
    search.tell(None)
    search.ask()
    search.tell(math.nan)


def scene(**search: Any) -> Any:
    space = {
        "strategy.params.fast": {"low": 2, "high": 9, "integer": True},
        "strategy.params.slow": {"low": 5, "high": 30, "integer": True},
    }
    return parse_scene({**SCENE, "search": {"kind": "tpe", "trials": 12, "space": space} | search})


def test_a_trial_is_a_run_and_alone_gives_the_same_numbers(
    capfd: pytest.CaptureFixture[str],
) -> None:
    asked = scene()
    bench = Bench(whole_series(read))
    done = execute(asked, plan_runs(asked, CATALOGUE, max_runs=100), bench)
    assert len(done.documents) == 12
    assert len({one["run_key"] for one in done.documents}) == 12
    winner = max(done.documents, key=lambda one: one["sharpe"] or -9)
    alone = parse_scene({**SCENE, "strategy": {"name": "sma_cross", "params": winner["params"]}})
    [run] = plan_runs(alone, CATALOGUE, max_runs=1).expand()
    assert run.run_key == winner["run_key"]
    again = Bench(whole_series(read)).answer(run)
    assert {**again, "computed_at": ""} == {**winner, "computed_at": ""}
    assert capfd.readouterr().out == ""  # Optuna keeps silent


def test_each_window_and_instrument_has_a_search_of_its_own() -> None:
    asked = scene(trials=4).model_copy(update={"instruments": ("a:X", "a:Y")})
    asked = parse_scene({**asked.content(), "validation": {"train": "10d", "test": "5d"}})
    done = execute(asked, plan_runs(asked, CATALOGUE, max_runs=100), Bench(whole_series(read)))
    found = {(one["instruments"][0], one["start"]) for one in done.documents}
    assert len(found) == 2 * len(asked.folds) > 2
    assert len(done.documents) == 4 * len(found)


def test_a_space_out_of_bounds_is_refused_before_the_first_trial() -> None:
    space = {"strategy.params.fast": {"low": 0, "high": 9}}
    with pytest.raises(SceneInvalid) as refused:
        plan_runs(scene(space=space), CATALOGUE, max_runs=100)
    assert refused.value.field == "search.space.strategy.params.fast"


def test_a_space_without_enough_runs_ends_the_search() -> None:
    asked = scene(space={"strategy.params.fast": [2, 40]})
    done = execute(asked, plan_runs(asked, CATALOGUE, max_runs=100), Bench(whole_series(read)))
    assert ([one["params"]["fast"] for one in done.documents], done.skipped) == ([2], 1)


def test_one_at_a_time_asks_what_optuna_alone_asks() -> None:
    asked = scene(trials=14)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=asked.search.seed)
    )
    bench, found = Bench(whole_series(read)), dict[str, Any]()
    while len(found) < 14:
        fast, slow = IntDistribution(2, 9), IntDistribution(5, 30)
        trial = study.ask({"strategy.params.fast": fast, "strategy.params.slow": slow})
        groups = choose(asked, CATALOGUE, trial.params)
        if groups is None:
            study.tell(trial, state=TrialState.FAIL)
            continue
        run = make_run("a:X", groups)
        document = found.setdefault(run.run_key, bench.answer(run))
        value = document["sharpe"]
        study.tell(trial, value, state=None if value is not None else TrialState.FAIL)
    done = execute(asked, plan_runs(asked, CATALOGUE, max_runs=100), bench)
    assert [one["run_key"] for one in done.documents] == list(found)


@pytest.mark.parametrize("batch", [1, 4, 20])
def test_a_search_that_was_lost_asks_again_what_it_asked_before(batch: int) -> None:
    asked = scene(batch=batch)
    (window,), bench = window_variants(asked), Bench(whole_series(read))
    whole, batches, told = Study(asked, "a:X", window), list[list[str]](), dict[str, Any]()
    while runs := whole.ask(CATALOGUE):
        batches.append([run.run_key for run in runs])
        told |= {run.run_key: bench.answer(run)["sharpe"] for run in runs}
        whole.tell(told)
    assert list(map(len, batches)) == {1: [1] * 12, 4: [4] * 3, 20: [12]}[batch]
    assert len({key for one in batches for key in one}) == 12
    for known in range(len(batches)):
        again = Study(asked, "a:X", window)
        for keys in batches[: known + 1]:
            assert [run.run_key for run in again.ask(CATALOGUE)] == keys
            if keys is not batches[known]:
                again.tell(told)
        assert list(again.waiting) == batches[known]


def test_a_search_may_vary_the_interval_where_no_windows_are_cut() -> None:
    asked = scene(space={"interval": ["1h", "2h"]}, trials=2)
    (window,) = window_variants(asked)
    study, found = Study(asked, "a:X", window), list[Any]()
    while runs := study.ask(CATALOGUE):
        found += runs
        study.tell({run.run_key: 1.0 for run in runs})
    assert {run.interval.value for run in found} == {"1h", "2h"}

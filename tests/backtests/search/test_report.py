"""What a search has found is judged: by candles it did not see, and by how much was tried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from backtests.local import Bench, conclude, execute, whole_series
from backtests.search import report as report_module
from backtests.search.out_of_sample import closed_out
from backtests.search.period_returns import returns_of
from backtests.search.trials import trials_of, with_winner
from backtests.simulate import run_all
from backtests.strategies import CATALOGUE
from mela.candles import Candles
from mela.grid import plan_runs
from mela.interval import Interval
from mela.messages import read_stored_run
from mela.result import rank
from mela.run import from_ms, to_ms
from mela.scene import Scene, parse_scene
from mela.search_report import SearchReport
from tests.backtests.search.swings import SCENE, read

GRID = {
    "kind": "grid",
    "space": {
        "strategy.params.fast": [3, 6, 12],
        "strategy.params.slow": {"from": 20, "to": 60, "step": 20},
    },
}
WALK = {"train": "17d", "test": "8d", "embargo": "1d"}


def judged(
    bench: Bench | None = None, **change: Any
) -> tuple[Scene, list[dict[str, Any]], dict[str, Any]]:
    scene = parse_scene({**SCENE, "search": GRID, **change})
    bench = bench or Bench(whole_series(read))
    done = execute(scene, plan_runs(scene, CATALOGUE, max_runs=1_000), bench)
    report = conclude(scene, done.documents, bench)
    assert report is not None
    return scene, done.documents, report.document()


def test_a_scene_that_searches_nothing_has_no_report() -> None:
    scene = parse_scene(SCENE)
    bench = Bench(whole_series(read))
    done = execute(scene, plan_runs(scene, CATALOGUE, max_runs=1), bench)
    assert conclude(scene, done.documents, bench) is None


def test_the_best_of_each_training_window_is_what_is_tested() -> None:
    scene, documents, report = judged(validation=WALK)
    folds = report["walk_forward"]["instruments"]["a:X"]["folds"]
    assert len(folds) == len(scene.folds) == 4
    for fold in folds:
        own = [one for one in documents if one["start"] == fold["train_start"]]
        assert len(own) == 9
        best = rank(own, "sharpe")[0]
        assert (fold["run_key"], fold["trained"]) == (best["run_key"], best["sharpe"])
        assert fold["choice"]["strategy.params.slow"] == best["params"]["slow"]
        assert fold["purged"] == best["open_trades"]
        run = replace(
            read_stored_run(best, CATALOGUE),
            start=from_ms(_ms(fold["test_start"])),
            end=from_ms(_ms(fold["test_end"])),
        )
        tested = closed_out(read("a:X", Interval.H1), run)
        assert tested.numbers()["total_return"] == fold["total_return"]
        assert _ms(fold["test_start"]) - _ms(fold["train_end"]) == 86_400_000


def test_folds_follow_each_other_and_chain_by_return() -> None:
    _, _, report = judged(validation=WALK)
    walked = report["walk_forward"]
    folds = walked["instruments"]["a:X"]["folds"]
    assert [one["test_start"] for one in folds[1:]] == [one["test_end"] for one in folds[:-1]]
    growth = np.prod([1.0 + one["total_return"] for one in folds])
    assert walked["total_return"] == pytest.approx(growth - 1.0, rel=1e-12)
    assert walked["trades"] == sum(one["trades"] for one in folds)
    assert walked["untested"] == 0
    assert walked["equity"]["equity"][-1] == pytest.approx(10_000 * growth)


def test_what_comes_after_a_fold_changes_nothing_of_it() -> None:
    """The choice and its test see no candle of the fold's future."""
    whole = judged(validation=WALK)[2]["walk_forward"]["instruments"]["a:X"]["folds"]
    cut_ms = _ms(whole[1]["test_end"])

    def other_future(instrument: str, interval: Interval) -> Candles:
        given = read(instrument, interval)
        late = given.opened_ms >= cut_ms
        prices = {
            name: np.where(late, getattr(given, name) * 3.0, getattr(given, name))
            for name in ("open", "high", "low", "close")
        }
        return replace(given, **prices)

    _, _, report = judged(Bench(whole_series(other_future)), validation=WALK)
    other = report["walk_forward"]["instruments"]["a:X"]["folds"]
    assert other[:2] == whole[:2]
    assert other[2:] != whole[2:]


def test_a_test_that_gives_nothing_is_counted() -> None:
    """The candles end within the third of four tests, so that the fourth has none."""
    end_ms = _ms("2023-02-20T00:00:00Z")

    def cut(instrument: str, interval: Interval) -> Candles:
        given = read(instrument, interval)
        return given.span(int(given.opened_ms[0]), end_ms, 0)

    walked = judged(Bench(whole_series(cut)), validation=WALK)[2]["walk_forward"]
    folds = walked["instruments"]["a:X"]["folds"]
    assert [one["status"] for one in folds] == ["succeeded"] * 3 + ["no_data"]
    assert (walked["untested"], walked["instruments"]["a:X"]["tested"]) == (1, 3)


def test_anchored_windows_all_begin_at_the_start() -> None:
    scene, documents, _ = judged(validation={**WALK, "anchored": True})
    assert {one["start"] for one in documents} == {SCENE["start"]}
    assert len({one["end"] for one in documents}) == len(scene.folds)


def test_several_instruments_walk_on_equal_shares() -> None:
    _, _, report = judged(validation=WALK, instruments=["a:X", "a:Y"])
    walked = report["walk_forward"]
    parts = [one["total_return"] for one in walked["instruments"].values()]
    assert walked["total_return"] == pytest.approx(sum(parts) / 2)


def test_the_holdout_is_run_by_the_last_windows_winner_and_seen_by_no_run() -> None:
    held = {"start": "2023-02-20T00:00:00Z"}
    scene, documents, report = judged(validation=WALK, holdout=held)
    assert max(one["end"] for one in documents) <= held["start"]
    last = [one for one in documents if _ms(one["start"]) == scene.folds[-1].train_start_ms]
    best = rank(last, "sharpe")[0]
    assert report["winner"]["run_key"] == report["holdout"]["run_key"] == best["run_key"]
    run = replace(read_stored_run(best, CATALOGUE), start=scene.holdout.start, end=scene.end)
    expected = closed_out(read("a:X", Interval.H1), run).numbers()
    assert {name: report["holdout"][name] for name in expected} == expected
    assert report["recorded"] is False
    assert report["holdout"]["reopened"] is None


def test_every_window_counts_as_a_trial_but_only_the_winners_own_are_compared() -> None:
    scene, documents, report = judged(validation=WALK)
    statistics = report["statistics"]
    assert statistics["n_trials"] == len(documents) == 9 * len(scene.folds)
    assert statistics["trials"]["n_trials"] == 9
    assert statistics["overfitting"]["trials"] == 9
    assert "lower bound" in statistics["notes"][0]


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_the_sharpe_that_is_judged_is_the_winners_own(rate: float) -> None:
    _, documents, report = judged(risk_free_rate=rate)
    winner = rank(documents, "sharpe")[0]
    periods = np.sqrt(winner["periods_per_year"])
    statistics = report["statistics"]
    assert statistics["sharpe_per_period"] * periods == pytest.approx(winner["sharpe"], rel=1e-9)
    assert statistics["psr"] == pytest.approx(winner["psr"], rel=1e-9)
    assert statistics["dsr"] < statistics["psr"]
    assert statistics["superior"]["tested"] == 9


def test_neighbours_are_a_step_of_the_search_away() -> None:
    _, _, report = judged()
    near = report["robustness"]["plateau"]["neighbours"]
    choice = report["winner"]["choice"]
    slow = choice["strategy.params.slow"]
    assert {one["value"] for one in near["slow"]} <= {slow - 20, slow + 20}


def test_a_span_too_short_for_blocks_is_counted_but_not_judged() -> None:
    _, documents, report = judged(end="2023-01-20T00:00:00Z")
    assert report["statistics"]["n_trials"] == len(documents)
    assert "too short" in report["statistics"]["reason"]
    assert report["robustness"]["metric"] == "sharpe"


def test_without_any_metrics_there_is_no_winner() -> None:
    _, _, report = judged(start="2022-01-11T00:00:00Z", end="2022-03-02T00:00:00Z", validation=WALK)
    assert "no run" in report["reason"]
    folds = report["walk_forward"]["instruments"]["a:X"]["folds"]
    assert {one["status"] for one in folds} == {"no_choice"}
    assert report["walk_forward"]["untested"] == len(folds)
    assert report["walk_forward"]["total_return"] is None


def test_a_winner_that_answers_otherwise_by_now_is_not_judged() -> None:
    scene, documents, _ = judged()
    reread = Bench(whole_series(lambda _, interval: read("a:other", interval)))
    report = conclude(scene, documents, reread)
    assert report is not None
    assert report.reason == report_module.CHANGED
    assert report.statistics is None


def test_a_report_is_json_and_has_a_headline() -> None:
    _, _, report = judged(validation=WALK, holdout={"start": "2023-02-20T00:00:00Z"})
    stored = orjson.loads(orjson.dumps(report, default=float))
    assert stored == report
    read = SearchReport.model_validate(stored)
    assert read.model_dump(mode="json", exclude_unset=True) == stored
    numbers = read.headline()
    for name in ("dsr", "pbo", "n_trials", "n_effective", "spa_p", "oos_sharpe"):
        assert name in numbers
    assert numbers["holdout_total_return"] == report["holdout"]["total_return"]


def test_the_same_search_gives_the_same_report() -> None:
    assert judged(validation=WALK)[2] == judged(validation=WALK)[2]


def test_a_ruined_winner_is_judged_by_the_periods_that_it_lived() -> None:
    change: dict[str, Any] = {
        "direction": "short",
        "costs": {"borrow_rate": 90.0, "fee": 0.5},
        "search": {"kind": "grid", "space": {"strategy.params.fast": [3, 6]}},
    }
    _, documents, report = judged(**change)
    assert {one["status"] for one in documents} == {"ruined"}
    assert "winner" in report


def test_returns_are_those_of_the_metrics() -> None:
    scene = parse_scene(SCENE)
    [run] = plan_runs(scene, CATALOGUE, max_runs=1).expand()
    candles = read("a:X", Interval.H1)
    outcome = next(run_all(candles, [run], with_curve=True))
    assert outcome.curve is not None
    assert outcome.blocks is not None
    from backtests.candles.prepared import prepare_candles

    found = returns_of(outcome.curve, prepare_candles(candles, run), run.cash)
    assert found.sum() == pytest.approx(sum(outcome.blocks.sums))
    assert len(found) == sum(outcome.blocks.counts)


def test_the_winner_is_among_the_trials_even_where_too_many_were_recorded() -> None:
    _, documents, _ = judged()
    winner, others = documents[0], documents[1:]
    trials = trials_of(others, others[0], [])
    added = with_winner(trials, winner)
    assert len(added.sums) == len(trials.sums) + 1 == len(added.own)
    assert with_winner(added, winner) is added


def _ms(said: str) -> int:
    from datetime import datetime

    return to_ms(datetime.fromisoformat(said))

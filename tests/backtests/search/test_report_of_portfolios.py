"""A search over an account of several instruments: executed, and judged as far as that goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from backtests.local import Bench, conclude, execute, whole_series
from backtests.portfolio import account_span, run_together
from backtests.search import report as report_module
from backtests.search.period_returns import returns_of
from backtests.strategies import CATALOGUE
from mela.block_returns import BlockReturns
from mela.candles import Candles
from mela.errors import SceneInvalid
from mela.grid import plan_runs
from mela.interval import Interval
from mela.messages import read_stored_run
from mela.result import rank
from mela.scene import Scene, parse_scene
from mela.search_report import SearchReport
from tests.backtests.search.swings import SCENE, read

SPACE = {"strategy.params.fast": [3, 6, 12], "strategy.params.slow": [20, 40, 60]}
TOGETHER: dict[str, Any] = {
    **SCENE,
    "instruments": ["a:Y", "a:X"],
    "mode": "together",
    "portfolio": {"rebalance": {"kind": "drift", "threshold": 0.05}},
    "search": {"kind": "grid", "space": SPACE},
}


def searched(
    read_with: Any = read, **change: Any
) -> tuple[Scene, list[dict[str, Any]], dict[str, Any]]:
    scene = parse_scene({**TOGETHER, **change})
    bench = Bench(whole_series(read_with))
    done = execute(scene, plan_runs(scene, CATALOGUE, max_runs=100), bench)
    report = conclude(scene, done.documents, bench)
    assert report is not None
    return scene, done.documents, report.document()


@pytest.fixture(scope="module")
def found() -> tuple[Scene, list[dict[str, Any]], dict[str, Any]]:
    return searched()


def test_the_runs_are_those_of_one_account(found: Any) -> None:
    scene, documents, _ = found
    runs = list(plan_runs(scene, CATALOGUE, max_runs=100).expand())
    series = {name: read(name, Interval.H1) for name in scene.instruments}
    assert [one["instruments"] for one in documents] == [["a:X", "a:Y"]] * 9
    for document, outcome in zip(documents, run_together(series, runs), strict=True):
        assert outcome.metrics is not None
        assert document["run_key"] == outcome.run.run_key
        assert document["final_equity"] == outcome.metrics.final_equity


def test_its_winner_is_judged_by_its_own_returns(found: Any) -> None:
    _, documents, report = found
    winner = rank(documents, "sharpe")[0]
    assert "reason" not in report
    assert report["winner"]["run_key"] == winner["run_key"]
    assert report["winner"]["instrument"] == "a:X + a:Y"
    statistics = report["statistics"]
    assert statistics["n_trials"] == statistics["overfitting"]["trials"] == 9
    assert statistics["psr"] == pytest.approx(winner["psr"], rel=1e-9)
    assert 0 < statistics["dsr"] < statistics["psr"]
    assert 0 <= statistics["pbo"] <= 1
    yearly = statistics["sharpe_per_period"] * np.sqrt(winner["periods_per_year"])
    assert yearly == pytest.approx(winner["sharpe"], rel=1e-9)
    assert report["monte_carlo"]["returns"]["total_return"]["values"] is not None


def test_the_returns_are_those_of_the_blocks(found: Any) -> None:
    scene, documents, _ = found
    run = read_stored_run(documents[0], CATALOGUE)
    series = {name: read(name, Interval.H1) for name in scene.instruments}
    outcome = next(iter(run_together(series, [run], with_curve=True)))
    assert outcome.curve is not None
    own = returns_of(outcome.curve, account_span(series, run), run.cash)
    assert own.sum() == pytest.approx(sum(BlockReturns.unpacked(documents[0]["blocks"]).sums))
    assert len(own) == sum(BlockReturns.unpacked(documents[0]["blocks"]).counts)


def test_what_only_one_instrument_has_is_left_out_with_a_reason(found: Any) -> None:
    report = found[2]
    assert report["robustness"] == {"reason": report_module.OF_SEVERAL}
    assert report["statistics"]["spa_p"] is None
    assert any(report_module.OF_SEVERAL in note for note in report["statistics"]["notes"])
    assert "at the same time" in report["monte_carlo"]["trades"]["reason"]
    assert orjson.loads(orjson.dumps(report, default=float)) == report
    assert SearchReport.model_validate(report).headline()["dsr"] == report["statistics"]["dsr"]


def test_trials_drawn_at_random_are_judged_too() -> None:
    space = {"strategy.params.fast": {"low": 2, "high": 15, "integer": True}}
    _, documents, report = searched(search={"kind": "random", "trials": 4, "space": space})
    assert report["statistics"]["n_trials"] == len(documents)
    assert 0 < report["statistics"]["dsr"] < 1


def test_an_account_that_answers_otherwise_by_now_is_not_judged(found: Any) -> None:
    scene, documents, _ = found

    def other_second(instrument: str, interval: Interval) -> Candles:
        return read("a:other" if instrument == "a:Y" else instrument, interval)

    report = conclude(scene, documents, Bench(whole_series(other_second)))
    assert report is not None
    assert report.reason == report_module.CHANGED


def test_without_candles_there_is_no_winner() -> None:
    span = {"start": "2022-01-11T00:00:00Z", "end": "2022-03-02T00:00:00Z"}
    assert "no run" in searched(**span)[2]["reason"]


def test_an_account_without_candles_has_no_span(found: Any) -> None:
    run = read_stored_run(found[1][0], CATALOGUE)
    early = {name: read(name, Interval.H1).span(0, 1, 0) for name in run.instruments}
    with pytest.raises(ValueError, match="an account with candles"):
        account_span(early, run)


def test_a_search_that_learns_is_refused_here_as_well() -> None:
    scene = parse_scene({**TOGETHER, "search": {"kind": "tpe", "trials": 2, "space": SPACE}})
    with pytest.raises(SceneInvalid, match="kind tpe") as caught:
        plan_runs(scene, CATALOGUE, max_runs=100)
    assert caught.value.field == "search.kind"

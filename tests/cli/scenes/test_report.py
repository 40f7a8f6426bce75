"""The lines of a search's report, as people read them."""

from __future__ import annotations

from typing import Any

from cli.scenes.report import report_lines
from mela.search_report import SearchReport

ROBUST: dict[str, Any] = {
    "metric": "sharpe",
    "value": 1.44,
    "break_even": {"per_fill": 0.0076},
    "delayed": {"sharpe": 1.31},
    "plateau": {"tried": 1, "positive": 1.0},
    "permuted": {"p_value": 0.01},
}


def robustness(**changes: Any) -> str:
    report = SearchReport.model_validate({"robustness": ROBUST | changes})
    return dict(report_lines(report))["robustness"]


def test_robustness_is_told_in_sentences() -> None:
    assert robustness() == (
        "Break-even cost 0.76 % per fill. Sharpe 1.31 if executed one candle later, 1.44 as it is. "
        "100.0% of 1 neighbour above 0. Permutation p = 0.01."
    )


def test_costs_that_never_eat_the_gain_and_other_metrics_are_told_too() -> None:
    said = robustness(
        metric="calmar", break_even={"per_fill": None}, delayed={"calmar": None}, plateau={}
    )

    assert said == (
        "Costs never eat the gain. calmar – if executed one candle later, 1.44 as it is. "
        "Permutation p = 0.01."
    )


def test_the_fall_of_monte_carlo_says_what_it_counts() -> None:
    quantiles = {"values": [-0.1, 0.1, 0.3]}
    returns = {"total_return": quantiles, "max_drawdown": {"values": [-0.4, -0.2, -0.1]}}
    report = SearchReport.model_validate({"monte_carlo": {"returns": returns}})

    assert "fall -10.0% to -40.0% between period ends" in dict(report_lines(report))["Monte Carlo"]

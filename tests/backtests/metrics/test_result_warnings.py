"""Each warning at its border, and what is not warned of."""

from __future__ import annotations

import math
from typing import Any

import pytest

from backtests.metrics.result_warnings import caveats, lacks_out_of_sample
from backtests.testing.instrument import execute

FINE = execute([(100, 100, 100, 100)] * 2).metrics._replace(trades=30, sharpe=1.0)


def said(*, candles=1_000, periods=365, years=1.0, top=0.4, **changes: Any) -> tuple[str, ...]:
    return caveats(FINE._replace(**changes), candles, periods, years, top)


def test_a_long_run_of_many_ordinary_trades_is_warned_of_nothing() -> None:
    assert said() == ()


@pytest.mark.parametrize(
    ("code", "fine", "too_far"),
    [
        ("too_few_trades", {"trades": 30}, {"trades": 29}),
        ("short_span", {"years": 361 / 365.25}, {"years": 345 / 365.25}),
        ("short_span", {"periods": 100}, {"periods": 99}),
        ("ambiguous_bars", {"ambiguous_bars": 10}, {"ambiguous_bars": 11}),
        ("sharpe_above_5", {"sharpe": 5.0}, {"sharpe": 5.1}),
        ("one_trade_profit", {"top": 0.5}, {"top": 0.51}),
        ("large_fills", {"large_fills": 0}, {"large_fills": 1}),
    ],
)
def test_a_warning_comes_beyond_its_border(code, fine, too_far) -> None:
    assert said(**fine) == ()
    assert said(**too_far) == (code,)


def test_what_is_undefined_is_not_warned_of() -> None:
    assert said(sharpe=math.nan, top=math.nan) == ()
    assert caveats(None, 0, 0, 0.0, math.nan) == ()


def test_a_run_that_one_trade_carried_says_so() -> None:
    prices = [100, 100, 101, 101, 300, 300]
    rows = [(price, price, price, price) for price in prices]

    outcome = execute(rows, enter=[0, 2], exit=[1, 3])

    assert "one_trade_profit" in outcome.warnings
    assert {"too_few_trades", "short_span"} <= set(outcome.warnings)


@pytest.mark.parametrize(
    ("scene", "runs", "lacks"),
    [
        ({"instruments": ["a"]}, 1, False),
        ({"instruments": ["a", "b"], "search": {"kind": "grid"}}, 2, False),
        ({"instruments": ["a"], "search": {"kind": "grid"}}, 2, True),
        ({"instruments": ["a"], "search": {"kind": "grid", "holdout": None}}, 9, True),
        ({"instruments": ["a"], "search": {"kind": "grid", "holdout": {"share": 0.2}}}, 9, False),
        (
            {"instruments": ["a"], "search": {"kind": "tpe"}, "validation": {"train": "90d"}},
            9,
            False,
        ),
    ],
)
def test_a_choice_among_runs_needs_other_candles(scene, runs, lacks) -> None:
    assert lacks_out_of_sample(scene, runs) is lacks

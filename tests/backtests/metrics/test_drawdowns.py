"""Drawdowns by hand, against a plain reading, and the same however they are carried."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.metrics import calmar, drawdowns, max_drawdown
from backtests.testing.instrument import candles_of, execute
from mela.interval import DAY_MS, Interval

NAN = pytest.approx(math.nan, nan_ok=True)
Found = tuple[float, float, float]


def days(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.int64) * DAY_MS


def found(*equity: float, cash: float = 100.0) -> Found:
    return drawdowns(np.array(equity), days(len(equity)), cash)


def plainly(equity: np.ndarray, opened_ms: np.ndarray, cash: float) -> Found:
    """Read the definition: for each candle its peak so far, then episodes below it."""
    values, times = [cash, *equity.tolist()], [int(opened_ms[0]), *opened_ms.tolist()]
    depths, longest, at = [], 0, 0
    while at < len(values):
        after = next((i for i in range(at + 1, len(values)) if values[i] >= values[at]), None)
        below = values[at + 1 : after]
        if below:
            depths.append(min(below) / values[at] - 1.0)
            longest = max(longest, times[-1 if after is None else after] - times[at])
        at = len(values) if after is None else after
    total = 0.0
    for depth in depths:
        total += depth
    return min(depths, default=0.0), total / len(depths) if depths else math.nan, longest / DAY_MS


def test_an_episode_ends_where_equity_is_back_at_its_peak() -> None:
    # −25 % from day 1 to day 3, −50 % from day 3 on
    assert found(100.0, 120.0, 90.0, 120.0, 60.0) == (-0.5, -0.375, 2.0)


def test_an_episode_that_still_runs_counts_up_to_the_end() -> None:
    assert found(100.0, 90.0, 95.0, 96.0) == (pytest.approx(-0.1), pytest.approx(-0.1), 3.0)


def test_a_fall_below_the_opening_cash_begins_with_the_first_candle() -> None:
    assert found(75.0, 80.0, 100.0) == (-0.25, -0.25, 2.0)


def test_a_curve_that_never_falls_has_no_average() -> None:
    assert found(100.0, 100.0, 150.0) == (0.0, NAN, 0.0)


def test_time_at_the_peak_is_no_drawdown() -> None:
    # the peak lasts from day 0 to day 3; the fall from day 3 to day 5
    assert found(120.0, 120.0, 120.0, 120.0, 60.0, 120.0) == (-0.5, -0.5, 2.0)


def test_days_without_candles_count_as_time() -> None:
    opened = np.array([0, 1, 9]) * DAY_MS

    assert drawdowns(np.array([100.0, 50.0, 100.0]), opened, 100.0)[2] == 9.0


def test_calmar_is_growth_over_the_deepest_fall() -> None:
    assert calmar(0.5, -0.25) == 2.0
    assert calmar(0.5, 0.0) == NAN
    assert calmar(math.nan, -0.25) == NAN


curves = st.lists(st.integers(1, 12).map(float) | st.floats(0.5, 20.0), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(curves)
def test_a_curve_is_measured_as_its_definition_reads(values: list[float]) -> None:
    equity = np.array(values)

    assert drawdowns(equity, days(len(equity)), 6.0) == pytest.approx(
        plainly(equity, days(len(equity)), 6.0), nan_ok=True, rel=0, abs=0
    )
    assert drawdowns(equity, days(len(equity)), 6.0)[0] == max_drawdown(equity, 6.0)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), direction=st.sampled_from(["long", "both"]))
def test_a_run_measures_its_falls_as_its_whole_curve_would(seed: int, direction: str) -> None:
    """The walks take flat stretches and blocks below the peak at once."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.02, 400))), 1)
    candles = candles_of([(p, p, p, p) for p in close], Interval.H8)
    enter, exit_ = (np.flatnonzero(rng.random(400) < 0.04) for _ in range(2))

    outcome = execute(candles, enter, exit_, cash=6.0, direction=direction)

    told = outcome.metrics
    assert (told.max_drawdown, told.avg_drawdown, told.max_drawdown_days) == pytest.approx(
        drawdowns(outcome.curve.equity, outcome.curve.opened_ms, 6.0), nan_ok=True, rel=0, abs=0
    )

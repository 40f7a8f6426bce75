"""Months and the rolling Sharpe ratio of a run."""

from __future__ import annotations

import numpy as np
import pytest

from backtests.candles.prepared import prepare_candles
from backtests.charts.over_time import LEAST_PERIODS, months_of, rolling_sharpe_of
from backtests.metrics.returns import sharpe
from backtests.search.period_returns import returns_of
from backtests.testing.instrument import execute
from mela.result import Curve
from tests.backtests.charts.outcomes import walk

DAY_MS = 86_400_000


def curve(*days: str, equity: list[float]) -> Curve:
    opened = np.array(days, dtype="datetime64[ms]").astype(np.int64)
    return Curve(trades=(), opened_ms=opened, equity=np.array(equity))


def test_months_begin_where_the_last_one_ended() -> None:
    found = months_of(
        curve(
            "2023-11-29", "2023-11-30", "2023-12-31", "2024-02-01", "2024-02-02",
            equity=[100.0, 110.0, 99.0, 120.0, 198.0],
        ),
        cash=100.0,
    )  # fmt: skip

    assert found.years == (2023, 2024)
    assert found.values[0, 10:].tolist() == pytest.approx([0.1, -0.1])
    assert found.values[1, 1] == pytest.approx(1.0)  # from 99 to 198
    assert np.isnan(found.values).sum() == 24 - 3
    assert found.totals.tolist() == pytest.approx([-0.01, 1.0])
    assert found.largest == pytest.approx(1.0)


def test_years_without_a_candle_are_empty_rows() -> None:
    found = months_of(curve("2020-12-31", "2022-01-01", equity=[100.0, 50.0]), cash=100.0)

    assert found.years == (2020, 2021, 2022)
    assert np.isnan(found.totals[1])
    assert np.isnan(found.values[1]).all()


def test_one_month_is_no_table() -> None:
    assert months_of(curve("2024-01-01", "2024-01-31", equity=[1.0, 2.0]), cash=1.0) is None


def test_months_make_up_the_return_of_the_run() -> None:
    candles = walk(900)
    outcome = execute(candles, range(5, 900, 40), range(25, 900, 40), fee=0.001)

    found = months_of(outcome.curve, outcome.run.cash)

    whole = np.nanprod(1.0 + found.values) - 1.0
    assert whole == pytest.approx(outcome.metrics.total_return, rel=1e-12)
    assert np.prod(1.0 + found.totals) - 1.0 == pytest.approx(whole, rel=1e-12)


def test_the_sharpe_of_a_window_is_that_of_its_returns() -> None:
    candles = walk(900)
    outcome = execute(candles, range(5, 900, 40), range(25, 900, 40), fee=0.001)
    span = prepare_candles(candles, outcome.run)

    found = rolling_sharpe_of(outcome.curve, span, outcome.run.cash)

    assert found.window == 91  # a quarter of 365 days
    assert len(found.values) == 900 - 90
    returns = returns_of(outcome.curve, span, outcome.run.cash)
    assert found.values[200] == sharpe(returns[200:291], 365.0)
    assert found.times_ms[0] == candles.opened_ms[90]
    assert found.times_ms[-1] == candles.opened_ms[-1]


def test_a_short_run_has_shorter_windows_or_none() -> None:
    for days, window in ((90, 30), (60, LEAST_PERIODS), (59, None)):
        candles = walk(days)
        outcome = execute(candles, [5], [9])
        span = prepare_candles(candles, outcome.run)
        found = rolling_sharpe_of(outcome.curve, span, outcome.run.cash)
        assert (found and found.window) == window

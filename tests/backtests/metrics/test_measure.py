"""Each definition of docs/metrics.md, by hand and against plain numpy and pandas."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from backtests.execute import room_for
from backtests.metrics import (
    buy_hold_return,
    cagr,
    deviation,
    max_drawdown,
    period_ends,
    period_returns,
    periods_per_year,
    sharpe,
    sortino,
    years,
)
from backtests.testing.instrument import MONDAY_MS, candles_of, execute
from mela.candles import Candles
from mela.interval import DAY_MS, HOUR_MS, Interval
from mela.metrics import TYPES

NAN = pytest.approx(math.nan, nan_ok=True)


def still(price: float) -> tuple[float, float, float, float]:
    return (price, price, price, price)


def series(interval: Interval, opened_ms: list[int], calendar: str = "24/7") -> Candles:
    one = np.ones(len(opened_ms))
    opened = np.array(opened_ms, dtype=np.int64)
    return Candles(interval, opened, one, one, one, one, one, 0, calendar)


def returns_of(account: list[float], cash: float) -> list[float]:
    returns = np.empty(len(account))
    period_returns(np.array(account), cash, returns)
    return returns.tolist()


# Returns and their periods


def test_the_first_return_starts_from_the_opening_cash() -> None:
    assert returns_of([150.0, 75.0], cash=100.0) == [0.5, -0.5]


@pytest.mark.parametrize("ruined_at", [2, 3])
def test_the_last_return_of_a_ruined_run_goes_to_what_ruined_it(ruined_at: int) -> None:
    """Within its day or at its end: the days return 0 and −1."""
    dear, nothing = (2.0**1000,) * 4, (2.0**-1000,) * 4
    rows = [nothing if bar == ruined_at else dear for bar in range(8)]

    outcome = execute(candles_of(rows, Interval.H12), enter=[0], cash=1024.0)

    assert outcome.metrics.volatility_ann == math.sqrt(0.5) * math.sqrt(365)


def test_hours_are_joined_to_utc_days_by_their_opening() -> None:
    opened = [MONDAY_MS + hour * HOUR_MS for hour in (22, 23, 24, 25, 50)]

    assert period_ends(series(Interval.H1, opened)).tolist() == [1, 3, 4]


def test_days_without_candles_are_skipped() -> None:
    opened = [MONDAY_MS, MONDAY_MS + 9 * DAY_MS]

    assert period_ends(series(Interval.H12, opened)).tolist() == [0, 1]


@pytest.mark.parametrize("interval", ["1d", "3d", "1w", "1mo"])
def test_from_a_day_on_each_candle_is_a_period(interval: str) -> None:
    assert period_ends(candles_of([still(1)] * 3, Interval(interval))).tolist() == [0, 1, 2]


def test_warmup_candles_are_in_no_period() -> None:
    candles = candles_of([still(1)] * 30, Interval.H1).span(MONDAY_MS + 20 * HOUR_MS, 2**62, 20)

    assert (candles.start_bar, period_ends(candles).tolist()) == (20, [3, 9])


@pytest.mark.parametrize(
    ("interval", "calendar", "periods"),
    [
        ("1mo", "24/7", 12),
        ("1w", "XNYS", 52),
        ("1h", "24/7", 365),
        ("1d", "24/7", 365),
        ("1h", "XNYS", 252),
        ("1d", "XNYS", 252),
        ("3d", "24/7", 365 / 3),
        ("3d", "XNYS", 84),
    ],
)
def test_a_year_has_as_many_periods_as_the_market_is_open(interval, calendar, periods) -> None:
    assert periods_per_year(series(Interval(interval), [MONDAY_MS], calendar)) == periods


def test_a_session_on_a_saturday_makes_no_market_that_never_closes() -> None:
    saturday, sunday = MONDAY_MS + 5 * DAY_MS, MONDAY_MS + 6 * DAY_MS

    assert periods_per_year(series(Interval.H1, [saturday + HOUR_MS], "XNYS")) == 252
    assert periods_per_year(series(Interval.D1, [saturday, sunday], "XBOM")) == 252


def hours_from(first: str, hours: int) -> list[int]:
    begin = int(np.datetime64(first, "ms").astype(np.int64))
    return [begin + hour * HOUR_MS for hour in range(hours)]


@pytest.mark.parametrize("week", ["2024-01-08", "2024-07-08"])
def test_extended_hours_in_new_york_add_no_periods(week: str) -> None:
    """04:00 to 20:00 there; in winter the last hour is the next day in UTC."""
    opens = 9 if week < "2024-03" else 8
    days = [
        hour
        for day in range(5)
        for hour in hours_from(f"{np.datetime64(week) + day}T{opens:02}:00", 16)
    ]

    assert period_ends(series(Interval.H1, days, "XNYS")).tolist() == [15, 31, 47, 63, 79]


def test_a_session_that_crosses_midnight_in_utc_is_one_period() -> None:
    """Sydney opens at 10:00 there, which in its summer is 23:00 UTC of the day before."""
    two = hours_from("2024-01-08T23:00", 6) + hours_from("2024-01-09T23:00", 6)

    assert period_ends(series(Interval.H1, two, "XASX")).tolist() == [5, 11]
    assert period_ends(series(Interval.H1, two)).tolist() == [0, 6, 11]


def test_candles_of_a_day_without_session_count_to_the_session_before() -> None:
    weekend = hours_from("2024-01-05T20:00", 1) + hours_from("2024-01-06T15:00", 3)
    monday = hours_from("2024-01-08T15:00", 1)

    assert period_ends(series(Interval.H1, weekend + monday, "XNYS")).tolist() == [3, 4]


def test_a_market_whose_hours_nobody_knows_has_utc_days() -> None:
    opened = hours_from("2024-01-08T22:00", 4)

    assert period_ends(series(Interval.H1, opened, "XXXX")).tolist() == [1, 3]


# Ratios


def test_deviation_divides_by_one_less_than_the_count() -> None:
    assert deviation(np.array([1.0, 3.0])) == math.sqrt(2.0)


def test_sharpe_is_mean_over_sample_deviation_annualised() -> None:
    # mean 2, deviation √2, √(4 periods) = 2
    assert sharpe(np.array([1.0, 3.0]), 4.0) == pytest.approx(2 * math.sqrt(2), rel=1e-15)


def test_sortino_takes_the_losses_over_all_periods() -> None:
    # mean 0.5; losses (-1)² over 4 periods: √(1/4) = 0.5
    assert sortino(np.array([1.0, 1.0, 1.0, -1.0]), 4.0) == 2.0


def test_ratios_of_fewer_than_two_returns_are_undefined() -> None:
    one = np.array([-0.1])

    assert [deviation(one), sharpe(one, 365.0), sortino(one, 365.0)] == [NAN, NAN, NAN]


def test_ratios_of_a_deviation_below_1e_12_are_undefined() -> None:
    still_returns = np.array([0.01, 0.01 + 5e-13, 0.01])
    small_losses = np.array([0.01, -1e-12, 0.02])

    assert sharpe(still_returns, 365.0) == NAN
    assert sortino(still_returns, 365.0) == NAN
    assert sortino(small_losses, 365.0) == NAN
    assert deviation(np.zeros(2)) == 0.0


# Drawdown, growth, comparison


@pytest.mark.parametrize(
    ("equity", "expected"),
    [
        ([100.0, 120.0, 90.0, 130.0], -0.25),
        ([100.0, 50.0, 200.0, 150.0], -0.5),
        ([100.0, 150.0, 200.0, 100.0], -0.5),
        ([100.0, 110.0], 0.0),
        ([75.0, 80.0], -0.25),
        ([100.0, 0.0], -1.0),
    ],
)
def test_max_drawdown_is_the_deepest_fall_below_the_peak(equity, expected) -> None:
    assert max_drawdown(np.array(equity), 100.0) == expected


def test_cagr_is_the_yearly_rate() -> None:
    assert cagr(121.0, 100.0, 2.0) == pytest.approx(0.1, rel=1e-14)


@pytest.mark.parametrize("final", [0.0, -1.0])
def test_cagr_of_nothing_left_is_undefined(final: float) -> None:
    assert cagr(final, 100.0, 2.0) == NAN


def test_a_rate_beyond_all_numbers_is_undefined() -> None:
    assert cagr(200.0, 100.0, 1e-6) == NAN


def test_years_run_to_the_end_of_the_last_candle() -> None:
    assert years(candles_of([still(1)] * 1461, Interval.D1)) == 4.0
    assert years(candles_of([still(1)] * 12, Interval.MO1)) == 366 / 365.25  # 2024 is a leap year


def test_years_begin_with_the_span() -> None:
    candles = candles_of([still(1)] * 1500, Interval.D1)

    assert years(candles.span(MONDAY_MS + 39 * DAY_MS, 2**62, 39)) == 4.0


def test_buy_and_hold_pays_slippage_and_fee_once() -> None:
    # 1,000 of cash at 125 × 1.25 buys 6.4 units, worth 640 at 100
    assert buy_hold_return(100.0, 100.0, fee=0.25, slippage=0.25) == pytest.approx(-0.36)


def test_buy_and_hold_enters_at_the_first_open_of_the_span() -> None:
    outcome = execute([still(10), (100, 120, 90, 110), (120, 150, 120, 150)], warmup=1)

    assert outcome.metrics.buy_hold_return == 0.5


# A whole run


@pytest.mark.parametrize("traded", [False, True])
def test_every_metric_of_the_registry_is_written_by_each_run(traded: bool) -> None:
    """Nothing of the run before is left in a row, whatever a run does not know of itself."""
    buffers = room_for(8)
    for name, kind in TYPES:
        buffers.metrics[name] = kind(-987_654_321)

    found = execute([still(p) for p in (100, 110, 90, 120, 80)], enter=[0, 2] if traded else [])

    assert -987_654_321 not in found.metrics
    assert buffers is room_for(8)


def test_a_run_without_trades_leaves_its_ratios_undefined() -> None:
    metrics = execute([still(100)] * 5).metrics

    assert [metrics.sharpe, metrics.sortino, metrics.win_rate] == [NAN, NAN, NAN]
    assert (metrics.total_return, metrics.volatility_ann, metrics.cagr) == (0.0, 0.0, 0.0)
    assert (metrics.max_drawdown, metrics.fees_paid, metrics.exposure_time) == (0.0, 0.0, 0.0)


def test_a_run_of_one_candle_has_no_volatility() -> None:
    assert execute([still(100)]).metrics.volatility_ann == NAN


def test_winning_and_losing_trades_are_counted_net_of_fees() -> None:
    # Bought and sold at 100, at 100 and 200, at 200 and 201; fees of 1 % eat the last gain too.
    prices = [100, 100, 100, 100, 200, 200, 201]
    outcome = execute([still(p) for p in prices], enter=[0, 2, 4], exit=[1, 3, 5], fee=0.01)

    metrics = outcome.metrics
    assert (metrics.trades, metrics.winning_trades, metrics.losing_trades) == (3, 1, 2)
    assert metrics.win_rate == 1 / 3


def test_a_trade_that_gains_nothing_neither_wins_nor_loses() -> None:
    metrics = execute([still(100)] * 3, enter=[0], exit=[1]).metrics

    assert (metrics.trades, metrics.winning_trades, metrics.losing_trades) == (1, 0, 0)
    assert metrics.win_rate == 0.0


def test_total_return_is_measured_from_the_opening_cash() -> None:
    metrics = execute([still(100), still(100), still(150)], enter=[0], cash=400.0).metrics

    assert (metrics.final_equity, metrics.total_return) == (600.0, 0.5)


def test_metrics_agree_with_pandas_on_a_random_run() -> None:
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 24 * 90)))
    rows = [(a, max(a, b), min(a, b), b) for a, b in zip(np.roll(close, 1), close, strict=True)]
    rows[0] = still(close[0])
    candles = candles_of(rows, Interval.H1)

    outcome = execute(candles, range(5, 2160, 50), range(30, 2160, 50), fee=0.001, cash=1_000.0)

    index = pd.to_datetime(outcome.curve.opened_ms, unit="ms", utc=True)
    equity = pd.Series(outcome.curve.equity, index)
    daily = equity.resample("1D").last()
    returns = pd.concat([pd.Series([1_000.0]), daily]).pct_change().dropna()
    losses = np.sqrt((returns.clip(upper=0) ** 2).mean())
    peaks = equity.cummax().clip(lower=1_000.0)
    expected = {
        "total_return": equity.iloc[-1] / 1_000 - 1,
        "final_equity": equity.iloc[-1],
        "cagr": (equity.iloc[-1] / 1_000) ** (365.25 / 90) - 1,
        "volatility_ann": returns.std() * np.sqrt(365),
        "sharpe": returns.mean() / returns.std() * np.sqrt(365),
        "sortino": returns.mean() / losses * np.sqrt(365),
        "max_drawdown": (equity / peaks - 1).min(),
    }
    found = outcome.metrics._asdict()
    assert len(returns) == 90
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-11)

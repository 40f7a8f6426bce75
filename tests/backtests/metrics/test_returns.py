"""What returns alone tell, by hand and against numpy and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from backtests.metrics import (
    deviation,
    measure_returns,
    metrics_of,
    new_rows,
    quantile,
    select,
    sharpe,
    sortino,
)
from backtests.metrics.returns import probabilistic_sharpe
from mela.metrics import Metrics

RATES = (4.0, 0.0, 0.0)
NAN = pytest.approx(math.nan, nan_ok=True)


def measured(
    returns: list[float] | np.ndarray,
    benchmark: list[float] | np.ndarray | None = None,
    periods: float = 4.0,
    risk_free: float = 0.0,
    required: float = 0.0,
) -> Metrics:
    given_returns = np.array(returns, dtype=np.float64)
    held = np.zeros(len(returns)) if benchmark is None else np.array(benchmark, dtype=np.float64)
    rows = new_rows()
    rates = (periods, risk_free, required)
    measure_returns(given_returns, held, rates, np.empty(len(returns)), rows[0])
    return metrics_of(rows)


def random_returns(seed: int, flat: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    returns = rng.standard_t(4, int(rng.integers(2, 800))) * 0.01
    returns[rng.random(len(returns)) < flat] = 0.0
    return returns


@pytest.mark.parametrize("seed", range(20))
def test_one_measurement_gives_the_bits_of_the_single_functions(seed: int) -> None:
    returns = random_returns(seed)

    found = measured(returns, random_returns(99)[:1].repeat(len(returns)), 365.0)

    assert found.volatility_ann == deviation(returns) * math.sqrt(365.0)
    assert found.sharpe == sharpe(returns, 365.0)
    assert found.sortino == sortino(returns, 365.0) or (returns >= 0.0).all()


def test_omega_is_all_gains_over_all_losses() -> None:
    assert measured([0.5, -0.125, 0.25, -0.125]).omega == 3.0


def test_omega_without_a_loss_is_undefined() -> None:
    assert measured([0.5, 0.0]).omega == NAN


def test_beta_is_the_slope_and_alpha_the_intercept_of_a_year() -> None:
    # y = 0.25 + 2x over periods of a quarter: four of 0.25 a year
    found = measured([0.25, 2.25, 4.25], [0.0, 1.0, 2.0])

    assert (found.alpha, found.beta) == (1.0, 2.0)


def test_against_a_market_that_stands_still_alpha_and_beta_are_undefined() -> None:
    found = measured([0.1, 0.2, -0.1], [0.01, 0.01, 0.01])

    assert (found.alpha, found.beta) == (NAN, NAN)


def test_the_quantiles_lie_between_two_returns() -> None:
    # 21 returns of −10 % to 10 %: the second lowest and the second highest
    steps = [step / 100 for step in range(-10, 11)]

    found = measured(steps[::-1])

    assert found.var_95 == -0.09
    assert found.cvar_95 == pytest.approx(-0.095, rel=1e-15)  # of −10 % and −9 %
    assert found.tail_ratio == 1.0


def test_of_equal_lowest_returns_only_a_twentieth_counts_for_the_tail() -> None:
    found = measured([-0.1] * 10 + [0.1] * 11)

    assert (found.var_95, found.cvar_95) == (-0.1, -0.1)


def test_a_tail_without_losses_has_no_ratio() -> None:
    assert measured([0.0] * 40 + [0.1]).tail_ratio == NAN


def test_skew_and_kurtosis_are_those_of_the_population() -> None:
    # 0, 0, 0, 4: mean 1, second moment 3, third 6, fourth 21
    found = measured([0.0, 0.0, 0.0, 4.0])

    assert found.skew == pytest.approx(6 / 3**1.5, rel=1e-15)
    assert found.kurtosis == pytest.approx(21 / 9 - 3, rel=1e-15)


def test_a_sharpe_of_nothing_is_as_likely_above_as_below() -> None:
    assert measured([0.1, -0.1]).psr == 0.5


def test_psr_is_that_of_the_papers_hedge_fund() -> None:
    # 24 months of Sharpe ratio 0.458, skew −2.448, kurtosis 10.164; and as if they were normal
    found = probabilistic_sharpe(0.458, -2.448, 10.164 - 3.0, 24)
    as_if_normal = probabilistic_sharpe(0.458, 0.0, 0.0, 24)

    assert (round(found, 3), round(as_if_normal, 3)) == (0.913, 0.982)


def test_a_risk_free_rate_lowers_sharpe_and_alpha_and_not_beta() -> None:
    # mean 2, risk √2, four periods a year; held: mean 1, so that beta is 1 and alpha (2 − 1) × 4
    plain, above = (measured([1.0, 3.0], [0.0, 2.0], risk_free=rate) for rate in (0.0, 1.0))

    assert (plain.sharpe, above.sharpe) == (2 / math.sqrt(2) * 2, 1 / math.sqrt(2) * 2)
    assert (plain.alpha, above.alpha, plain.beta, above.beta) == (4.0, 4.0, 1.0, 1.0)
    low = measured([1.0, 2.0], [0.0, 2.0], risk_free=1.0)  # mean 1.5, beta 0.5: 0.5 − 0.5 × 0
    assert (low.beta, low.alpha) == (0.5, 2.0)


def test_what_returns_lack_of_the_required_one_is_their_downside() -> None:
    found = measured([3.0, 1.0, 3.0, 1.0], required=2.0)

    assert found.downside_deviation == math.sqrt(0.5) * 2  # −1 twice in four, four a year
    assert (found.sortino, found.omega) == (0.0, 1.0)
    assert measured([3.0, 1.0]).downside_deviation == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_rates_are_taken_as_empyrical_and_quantstats_take_them(seed: int) -> None:
    returns = random_returns(seed)
    free, required, periods = 0.0002, 0.0004, 252

    found = measured(returns, periods=periods, risk_free=free, required=required)

    above, apart = returns - free, returns - required
    assert found.sharpe == pytest.approx(above.mean() / returns.std(ddof=1) * 252**0.5, rel=1e-9)
    downside = math.sqrt((np.minimum(apart, 0.0) ** 2).mean() * 252)
    assert found.downside_deviation == pytest.approx(downside, rel=1e-9)
    assert found.sortino == pytest.approx(apart.mean() * 252 / downside, rel=1e-9)
    assert found.omega == pytest.approx(apart[apart > 0].sum() / -apart[apart < 0].sum(), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_capture_is_growth_over_that_of_holding_where_that_rises_or_falls(seed: int) -> None:
    returns, held = random_returns(seed), random_returns(seed + 50)
    n = min(len(returns), len(held))
    returns, held = returns[:n], held[:n]

    found = measured(returns, held)

    for side, ratio in ((held > 0, found.up_capture), (held < 0, found.down_capture)):
        own, market = (np.prod(1 + one[side]) ** (1 / side.sum()) - 1 for one in (returns, held))
        assert ratio == pytest.approx(own / market, rel=1e-9)


def test_holding_captures_itself_and_a_side_that_never_comes_is_undefined() -> None:
    found = measured([0.1, 0.2], [0.1, 0.2])

    assert (found.up_capture, found.down_capture) == (1.0, NAN)
    assert measured([-1.0, 0.5], [0.1, 0.1]).up_capture == NAN


@pytest.mark.parametrize("seed", range(5))
def test_stability_is_the_r_squared_of_log_equity_over_time(seed: int) -> None:
    returns = random_returns(seed)
    line = stats.linregress(np.arange(len(returns)), np.cumsum(np.log1p(returns)))

    assert measured(returns).stability == pytest.approx(line.rvalue**2, rel=1e-9)


@pytest.mark.parametrize(
    "returns", [[0.1, -1.0, 0.2], [-1.5, 0.1], [0.3, 0.0, 0.0], [0.0] * 9, [1]]
)
def test_stability_of_nothing_left_or_nothing_moving_is_undefined(returns: list[float]) -> None:
    assert measured(returns).stability == NAN


def test_fewer_than_two_returns_tell_nothing() -> None:
    rows = new_rows()
    one, scratch = np.array([0.25]), np.empty(1)

    assert measure_returns(one, np.array([0.1]), RATES, scratch, rows[0]) == 1.25

    written = [name for name, value in metrics_of(rows)._asdict().items() if value != 0]
    assert set(written) >= {"volatility_ann", "sharpe", "sortino", "alpha", "var_95", "psr"}
    assert all(math.isnan(rows[name][0]) for name in written)


def test_returns_that_never_move_have_no_risk_and_no_shape() -> None:
    found = measured([0.0] * 30, [0.01, -0.01] * 15)

    assert found.volatility_ann == 0.0
    undefined = (found.sharpe, found.sortino, found.omega, found.skew, found.kurtosis, found.psr)
    assert all(math.isnan(value) for value in undefined)
    assert (found.alpha, found.beta, found.var_95, found.cvar_95) == (0.0, 0.0, 0.0, 0.0)


def test_returns_beyond_a_double_end_in_nothing_known() -> None:
    assert measured([math.inf, 0.1, -0.1]).var_95 == NAN


def test_mean_growth_is_of_equity_at_the_ends_of_periods() -> None:
    # 1 → 1.5 → 0.75
    two = np.array([0.5, -0.5])
    assert measure_returns(two, np.zeros(2), RATES, np.empty(2), new_rows()[0]) == 1.125


@pytest.mark.parametrize("flat", [0.0, 0.6])
@pytest.mark.parametrize("seed", range(10))
def test_random_returns_measure_as_numpy_and_scipy_do(seed: int, flat: float) -> None:
    returns = random_returns(seed, flat)
    held = np.random.default_rng(seed).normal(0, 0.02, len(returns))

    found = measured(returns, held, 252.0)

    slope, intercept = np.polyfit(held, returns, 1)
    low = np.quantile(returns, 0.05)
    assert (found.var_95, found.beta) == (low, pytest.approx(slope, rel=1e-9))
    assert found.alpha == pytest.approx(intercept * 252, rel=1e-9, abs=1e-12)
    assert found.skew == pytest.approx(stats.skew(returns), rel=1e-10)
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns), rel=1e-10)
    below = np.sort(returns)[: int(0.05 * (len(returns) - 1)) + 1]
    assert found.cvar_95 == pytest.approx(below.mean(), rel=1e-12)
    if low:
        assert found.tail_ratio == abs(np.quantile(returns, 0.95)) / abs(low)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(-5, 5) | st.floats(-1e300, 1e300), min_size=1, max_size=150),
    st.integers(0, 2**31),
)
def test_selection_finds_what_a_sort_finds(values: list[float], draw: int) -> None:
    array = np.array(values, dtype=np.float64)
    place = draw % len(array)
    ordered = np.sort(array)

    found, limit = select(array, place, 0)

    assert found == ordered[place]
    assert np.sort(array).tolist() == ordered.tolist()
    assert array[: place + 1].max() == found
    assert place + 1 == len(array) or array[place + 1 : limit].min() == ordered[place + 1]


@pytest.mark.parametrize("shape", ["rising", "falling", "organ pipe", "saw", "equal"])
def test_selection_takes_any_order(shape: str) -> None:
    rising = np.arange(1000.0)
    orders = {
        "rising": rising,
        "falling": rising[::-1],
        "organ pipe": np.abs(rising - 500.0),
        "saw": rising % 66.0,
        "equal": np.zeros(1000),
    }
    values = orders[shape].copy()

    low, _, place = quantile(values, 0.05, 0)
    high, _, _ = quantile(values, 0.95, place)

    assert (low, high) == tuple(np.quantile(orders[shape], [0.05, 0.95]))

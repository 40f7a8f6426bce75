"""Against empyrical-reloaded and quantstats: equal where definitions agree, else how they differ.

docs/metrics.md has the table of both. The curves are of runs on real candles and of random walks.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backtests.metrics import drawdowns, period_ends, period_returns
from backtests.testing.instrument import candles_of, execute
from mela.candles import Candles
from mela.interval import Interval
from mela.result import Outcome
from mela.settings import REPOSITORY
from tests.backtests.metrics.test_trades import fills_of, of_fills

with warnings.catch_warnings():  # of the libraries these two bring along
    warnings.simplefilter("ignore")
    import empyrical
    import quantstats.stats as qs

DATA = REPOSITORY / "replay" / "data"
REAL = {
    "binance_BTCUSDT_1h": (Interval.H1, "24/7", 365),
    "binance_ETHUSDT_1h": (Interval.H1, "24/7", 365),
    "lean-equity_AAPL_1d": (Interval.D1, "XNYS", 252),
    "lean-equity_SPY_1d": (Interval.D1, "XNYS", 252),
}
WALKS = {f"walk {seed}": (Interval.D1, "24/7", 365) for seed in range(4)}
SERIES = REAL | WALKS


def candles(name: str) -> Candles:
    interval, calendar, _ = SERIES[name]
    if name in WALKS:
        rng = np.random.default_rng(int(name.split()[1]))
        close = 100 * np.exp(np.cumsum(rng.standard_t(4, 700) * 0.01))
        rows = np.column_stack((close, close * 1.01, close * 0.99, close))
        return candles_of([tuple(row) for row in rows], interval)
    table = pd.read_parquet(DATA / f"{name}.parquet").tail(8_000)
    opened_ms = table["open_time"].to_numpy("datetime64[ms]").astype(np.int64)
    prices = [table[one].to_numpy(float) for one in ("open", "high", "low", "close", "volume")]
    return Candles(interval, opened_ms, *prices, 0, calendar)


@cache
def ran(name: str) -> tuple[Outcome, pd.Series, pd.Series]:
    """Run in and out every few weeks; return the outcome, its returns and those of holding."""
    read = candles(name)
    enter, leave = range(3, len(read), 60), range(40, len(read), 60)
    outcome = execute(read, enter, leave, fee=0.001, slippage=0.0005, stop_loss=0.08)
    ends = period_ends(read)
    returns = np.empty(len(ends))
    period_returns(outcome.curve.equity[ends], 1_000.0, returns)
    days = pd.to_datetime(read.opened_ms[ends], unit="ms").normalize()
    held = np.diff(np.append(read.open[0], read.close[ends])) / np.append(
        read.open[0], read.close[ends][:-1]
    )
    return outcome, pd.Series(returns, days), pd.Series(held, days)


def quietly(function: Any, *given: Any, **named: Any) -> Any:
    with warnings.catch_warnings():  # theirs: pandas' and numpy's future changes
        warnings.simplefilter("ignore")
        return function(*given, **named)


@pytest.mark.parametrize("name", SERIES)
def test_empyrical_agrees_where_the_definitions_do(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np, "NINF", -np.inf, raising=False)  # its sortino asks numpy 1 for it
    (outcome, returns, held), periods = ran(name), SERIES[name][2]
    theirs = {
        "sharpe": quietly(empyrical.sharpe_ratio, returns, annualization=periods),
        "sortino": quietly(empyrical.sortino_ratio, returns, annualization=periods),
        "volatility_ann": quietly(empyrical.annual_volatility, returns, annualization=periods),
        "omega": quietly(empyrical.omega_ratio, returns),
        "beta": quietly(empyrical.beta, returns, held),
        "var_95": quietly(empyrical.value_at_risk, returns),
        "cvar_95": quietly(empyrical.conditional_value_at_risk, returns),
        "tail_ratio": quietly(empyrical.tail_ratio, returns),
        "downside_deviation": quietly(empyrical.downside_risk, returns, annualization=periods),
        "stability": quietly(empyrical.stability_of_timeseries, returns),
    }

    found = outcome.metrics._asdict()

    assert {metric: found[metric] for metric in theirs} == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("name", SERIES)
def test_empyrical_captures_the_growth_of_a_year(name: str) -> None:
    """It compares what the periods would come to in a year, Mela what one of them comes to."""
    outcome, returns, held = ran(name)

    found = outcome.metrics
    for side, ours in ((held > 0, found.up_capture), (held < 0, found.down_capture)):
        growth = (1 + held[side]).prod() ** (1 / side.sum()) - 1
        theirs = quietly(empyrical.capture, returns[side], held[side], period="daily")
        own = (1 + ours * growth) ** 252 - 1
        assert theirs == pytest.approx(own / ((1 + growth) ** 252 - 1), rel=1e-6)


@pytest.mark.parametrize("name", SERIES)
def test_quantstats_agrees_where_the_definitions_do(name: str) -> None:
    (outcome, returns, held), periods = ran(name), SERIES[name][2]
    market = quietly(qs.greeks, returns, held, periods=periods)
    theirs = {
        "sharpe": quietly(qs.sharpe, returns, periods=periods),
        "sortino": quietly(qs.sortino, returns, periods=periods),
        "volatility_ann": quietly(qs.volatility, returns, periods=periods),
        "omega": quietly(qs.omega, returns, periods=periods),
        "alpha": market["alpha"],
        "beta": market["beta"],
        "tail_ratio": quietly(qs.tail_ratio, returns),
    }

    found = outcome.metrics._asdict()

    assert {metric: found[metric] for metric in theirs} == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("name", SERIES)
def test_drawdowns_agree_on_a_curve_of_days(name: str) -> None:
    """Theirs are of the returns of days; given such a curve ours is the same."""
    _, returns, _ = ran(name)
    curve = (1 + returns).cumprod().to_numpy()

    deepest, average, longest = drawdowns(curve, returns.index.asi8 // 1_000_000, 1.0)

    assert deepest == pytest.approx(quietly(empyrical.max_drawdown, returns), rel=1e-12)
    assert deepest == pytest.approx(quietly(qs.max_drawdown, returns), rel=1e-9)
    details = quietly(qs.drawdown_details, quietly(qs.to_drawdown_series, returns))
    assert average == pytest.approx(details["max drawdown"].mean() / 100, rel=1e-9)
    # theirs counts both the first day below the peak and the last; ours is peak to recovery
    assert abs(longest - details["days"].max()) <= 4


# Where they differ, and why


@pytest.mark.parametrize("name", REAL)
def test_within_a_day_equity_may_fall_deeper_than_its_closes_show(name: str) -> None:
    outcome, returns, _ = ran(name)

    theirs = quietly(empyrical.max_drawdown, returns)

    if REAL[name][0] is Interval.H1:
        assert outcome.metrics.max_drawdown < theirs - 1e-4
    else:
        assert outcome.metrics.max_drawdown == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("name", SERIES)
def test_their_years_are_counted_periods_and_ours_the_calendar(name: str) -> None:
    (outcome, returns, _), periods = ran(name), SERIES[name][2]
    theirs = quietly(empyrical.annual_return, returns, annualization=periods)
    metrics = outcome.metrics

    as_theirs = (1 + metrics.total_return) ** (periods / len(returns)) - 1

    assert quietly(qs.cagr, returns, periods=periods) == pytest.approx(theirs, rel=1e-9)
    assert as_theirs == pytest.approx(theirs, rel=1e-9)
    assert metrics.cagr == pytest.approx(theirs, rel=0.01)
    assert metrics.cagr != pytest.approx(theirs, rel=1e-6)
    calmar = quietly(empyrical.calmar_ratio, returns, annualization=periods)
    assert metrics.calmar != pytest.approx(calmar, rel=1e-6)


@pytest.mark.parametrize("name", SERIES)
def test_empyrical_compounds_alpha_over_a_year(name: str) -> None:
    (outcome, returns, held), periods = ran(name), SERIES[name][2]

    theirs = quietly(empyrical.alpha, returns, held, annualization=periods)

    ours = outcome.metrics.alpha
    assert (1 + ours / periods) ** periods - 1 == pytest.approx(theirs, rel=1e-9)
    assert ours != pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("name", SERIES)
def test_quantstats_corrects_skew_and_kurtosis_for_small_samples(name: str) -> None:
    outcome, returns, _ = ran(name)
    skew, kurtosis = quietly(qs.skew, returns), quietly(qs.kurtosis, returns)

    assert skew == pytest.approx(stats.skew(returns, bias=False), rel=1e-9)
    assert kurtosis == pytest.approx(stats.kurtosis(returns, bias=False), rel=1e-9)
    assert outcome.metrics.skew == pytest.approx(stats.skew(returns), rel=1e-9)
    assert outcome.metrics.kurtosis == pytest.approx(stats.kurtosis(returns), rel=1e-9)
    assert outcome.metrics.skew != pytest.approx(skew, rel=1e-6)
    # and with them the probabilistic Sharpe ratio, a little
    psr = quietly(qs.probabilistic_sharpe_ratio, returns)
    assert outcome.metrics.psr == pytest.approx(psr, abs=1e-3)
    assert outcome.metrics.psr != pytest.approx(psr, abs=1e-12)


@pytest.mark.parametrize("name", SERIES)
def test_quantstats_takes_returns_as_normal_for_value_at_risk(name: str) -> None:
    outcome, returns, _ = ran(name)
    theirs = quietly(qs.var, returns)

    assert theirs == pytest.approx(stats.norm.ppf(0.05, returns.mean(), returns.std()), rel=1e-9)
    assert outcome.metrics.var_95 != pytest.approx(theirs, rel=1e-3)
    cvar = outcome.metrics.cvar_95
    assert cvar != pytest.approx(quietly(qs.cvar, returns), rel=1e-3)
    assert cvar == pytest.approx(quietly(qs.cvar, returns, method="historical"), rel=1e-9)


@pytest.mark.parametrize("name", SERIES)
def test_quantstats_takes_periods_for_trades(name: str) -> None:
    """Given its periods as if they were trades, the same formulas give the same numbers."""
    outcome, returns, _ = ran(name)
    factor, kelly = quietly(qs.profit_factor, returns), quietly(qs.kelly_criterion, returns)

    as_trades = of_fills(fills_of(*returns, price=1.0), len(returns))

    assert as_trades.profit_factor == pytest.approx(factor, rel=1e-9)
    assert as_trades.kelly == pytest.approx(kelly, rel=1e-9)
    assert outcome.metrics.profit_factor != pytest.approx(factor, rel=1e-3)
    assert outcome.metrics.kelly != pytest.approx(kelly, rel=1e-3)

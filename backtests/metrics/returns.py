"""Metrics of periodic returns, alone and against buy and hold."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.metrics.quantiles import quantile
from backtests.metrics.row import RowType

Float = NDArray[np.float64]
STILL = 1e-12  # a deviation below this is rounding, not risk


@njit(cache=True, nogil=True, error_model="numpy")
def deviation(returns: Float) -> float:
    """Return the sample deviation (ddof 1) of (m,) returns; NaN for fewer than 2."""
    if len(returns) < 2:
        return np.nan
    mean = _mean(returns)
    squares = 0.0
    for value in returns:
        squares += (value - mean) * (value - mean)
    return math.sqrt(squares / (len(returns) - 1))


@njit(cache=True, nogil=True, error_model="numpy")
def sharpe(returns: Float, periods_per_year: float) -> float:
    """Return the annualised Sharpe ratio of (m,) returns.

    NaN for fewer than 2 returns or a deviation below 1e-12.

    Source: Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994), eq. 6.
    """
    risk = deviation(returns)
    if not risk >= STILL:
        return np.nan
    return _mean(returns) / risk * math.sqrt(periods_per_year)


@njit(cache=True, nogil=True, error_model="numpy")
def sortino(returns: Float, periods_per_year: float) -> float:
    """Return the annualised Sortino ratio of (m,) returns, its target 0.

    The downside deviation is taken over all periods. NaN for fewer than 2 returns or a downside
    deviation below 1e-12.

    Source: Sortino & Price, "Performance Measurement in a Downside Risk Framework", Journal of
    Investing 3 (1994).
    """
    if len(returns) < 2:
        return np.nan
    squares = 0.0
    for value in returns:
        low = min(value, 0.0)
        squares += low * low
    risk = math.sqrt(squares / len(returns))
    if risk < STILL:
        return np.nan
    return _mean(returns) / risk * math.sqrt(periods_per_year)


@njit(cache=True, nogil=True, error_model="numpy")
def measure_returns(
    returns: Float,
    benchmark: Float,
    rates: tuple[float, float, float],
    scratch: Float,
    row: RowType,
) -> float:
    """Write everything that period returns give, in two passes and two selections.

    returns: (m,) float64, oldest first
    benchmark: (≥ m,) float64, the returns of buy and hold in the same periods
    rates: periods per year, the risk-free rate and the required return, both per period
    scratch: (≥ m,) float64, written
    row: a record of ROW, written: NaN for each of fewer than 2 returns, or of returns that are not
        finite; each definition with its own edge cases and its source in docs/metrics.md
    returns: the mean of equity at the ends of periods, cash being 1; NaN without a return
    """
    per_year, risk_free, required = rates
    m = len(returns)
    total = held = gains = losses = squares = grown = 0.0
    growth = 1.0
    for i in range(m):
        value = returns[i]
        above = value - required
        low = min(above, 0.0)
        total += value
        held += benchmark[i]
        gains += max(above, 0.0)
        losses -= low
        squares += low * low
        growth *= 1.0 + value
        grown += growth
        scratch[i] = value
    if m < 2 or not math.isfinite(total):
        _undefined(row)
        return grown / m if m else np.nan
    mean = total / m
    downside = math.sqrt(squares / m)
    row.omega = gains / losses if losses > 0.0 else np.nan
    yearly = math.sqrt(per_year)
    row.downside_deviation = downside * yearly
    row.sortino = (mean - required) / downside * yearly if downside >= STILL else np.nan
    _measure_moments(returns, benchmark[:m], mean, held / m, per_year, risk_free, row)
    row.up_capture = _capture(returns, benchmark, 1.0)
    row.down_capture = _capture(returns, benchmark, -1.0)
    _measure_tails(returns, scratch[:m], row)
    row.stability = stability(returns)
    return grown / m


@njit(cache=True, nogil=True, error_model="numpy")
def _undefined(row: RowType) -> None:
    row.volatility_ann = row.sharpe = row.sortino = row.omega = row.alpha = row.beta = np.nan
    row.var_95 = row.cvar_95 = row.tail_ratio = row.skew = row.kurtosis = row.psr = np.nan
    row.downside_deviation = row.up_capture = row.down_capture = row.stability = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _measure_moments(
    returns: Float,
    benchmark: Float,
    mean: float,
    market: float,
    per_year: float,
    risk_free: float,
    row: RowType,
) -> None:
    """Write what the returns' distances from their mean give, alone and with the market's."""
    m = len(returns)
    second = third = fourth = shared = spread = 0.0
    for i in range(m):
        away = returns[i] - mean
        aside = benchmark[i] - market
        square = away * away
        second += square
        third += square * away
        fourth += square * square
        shared += away * aside
        spread += aside * aside

    nan = np.nan
    risk = math.sqrt(second / (m - 1))
    yearly = math.sqrt(per_year)
    ratio = (mean - risk_free) / risk if risk >= STILL else nan
    variance = second / m
    row.volatility_ann = risk * yearly
    row.sharpe = ratio * yearly
    row.beta = shared / spread if math.sqrt(spread / (m - 1)) >= STILL else nan
    row.alpha = (mean - risk_free - row.beta * (market - risk_free)) * per_year
    row.skew = third / m / (variance * math.sqrt(variance)) if risk >= STILL else nan
    row.kurtosis = fourth / m / (variance * variance) - 3.0 if risk >= STILL else nan
    row.psr = probabilistic_sharpe(ratio, row.skew, row.kurtosis, m)


@njit(cache=True, nogil=True, error_model="numpy")
def _capture(returns: Float, benchmark: Float, side: float) -> float:
    """Return mean growth over the benchmark's, where that gains (side 1) or loses (side −1)."""
    own = held = 1.0
    count = 0
    for i in range(len(returns)):
        counts = benchmark[i] * side > 0.0
        own *= 1.0 + returns[i] if counts else 1.0
        held *= 1.0 + benchmark[i] if counts else 1.0
        count += counts
    if not (own > 0.0 and held > 0.0 and count):
        return np.nan
    market = held ** (1.0 / count) - 1.0
    ratio = (own ** (1.0 / count) - 1.0) / market if market != 0.0 else np.nan
    return ratio if math.isfinite(ratio) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _measure_tails(returns: Float, scratch: Float, row: RowType) -> None:
    """Write what the returns at both ends of their order tell.

    scratch: (m,) float64, the same returns, whose order is changed
    """
    low, lowest, place = quantile(scratch, 0.05, 0)
    best, _, _ = quantile(scratch, 0.95, place)
    row.var_95 = low
    row.cvar_95 = _mean_of_lowest(returns, lowest, place + 1)
    row.tail_ratio = abs(best) / abs(low) if low != 0.0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def probabilistic_sharpe(ratio: float, skew: float, kurtosis: float, periods: int) -> float:
    """Return how probable it is that the true Sharpe ratio lies above 0.

    ratio: Sharpe ratio per period, not annualised
    skew, kurtosis: of the population, kurtosis in excess of 3
    returns: in [0, 1]; NaN where the ratio is, or where its own deviation is 0

    Source: Bailey & López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15
    (2012), eq. 11.
    """
    variance = 1.0 - skew * ratio + (kurtosis + 2.0) / 4.0 * ratio * ratio
    if not variance > STILL:
        return np.nan
    z = ratio * math.sqrt(periods - 1.0) / math.sqrt(variance)
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


@njit(cache=True, nogil=True, error_model="numpy")
def stability(returns: Float) -> float:
    """Return R² of the least-squares line through log equity at the ends of (m,) periods.

    NaN for fewer than 2 returns, where equity reaches 0, or where the sample deviation of log
    equity is below 1e-12.

    Source: `stability_of_timeseries` of empyrical, which defined it under this name.
    """
    m = len(returns)
    if m < 2 or not returns[0] > -1.0:
        return np.nan
    middle = (m - 1) / 2.0
    growth = 1.0  # since the end of the first period: a curve that rests from there on is exactly 0
    total = squares = along = 0.0
    for i in range(1, m):
        growth *= 1.0 + returns[i]
        if not growth > 0.0:
            return np.nan
        height = math.log(growth)
        total += height
        squares += height * height
        along += (i - middle) * height
    spread = squares - total * total / m
    if not spread >= STILL * STILL * (m - 1):
        return np.nan
    return min(along * along / (m * (m * m - 1.0) / 12.0 * spread), 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _mean_of_lowest(returns: Float, highest: float, count: int) -> float:
    # Oldest first, not in the order that the selection left; of equal ones only so many count.
    total, below = 0.0, 0
    for value in returns:
        is_below = value < highest
        total += value if is_below else 0.0
        below += is_below
    return (total + (count - below) * highest) / count


@njit(cache=True, nogil=True, error_model="numpy")
def _mean(values: Float) -> float:
    total = 0.0
    for value in values:
        total += value
    return total / len(values)

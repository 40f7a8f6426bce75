"""What the returns of periods tell alone, and against buy and hold."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.metrics.quantiles import quantile

Float = NDArray[np.float64]
STILL = 1e-12  # a deviation below this is rounding, not risk


class ReturnsMeasured(NamedTuple):
    """What `measure_returns` finds. mean_growth: of equity at the ends of periods, cash being 1."""

    volatility_ann: float
    sharpe: float
    sortino: float
    omega: float
    alpha: float
    beta: float
    var_95: float
    cvar_95: float
    tail_ratio: float
    skew: float
    kurtosis: float
    psr: float
    mean_growth: float


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
    returns: Float, benchmark: Float, periods_per_year: float, scratch: Float
) -> ReturnsMeasured:
    """Return everything that period returns give, in two passes and two selections.

    returns: (m,) float64, oldest first
    benchmark: (≥ m,) float64, the returns of buy and hold in the same periods
    scratch: (≥ m,) float64, written
    returns: NaN for each of fewer than 2 returns, or of returns that are not finite; each
        definition with its own edge cases and its source in docs/metrics.md
    """
    m = len(returns)
    total = held = gains = losses = squares = grown = 0.0
    growth = 1.0
    for i in range(m):
        value = returns[i]
        low = min(value, 0.0)
        total += value
        held += benchmark[i]
        gains += max(value, 0.0)
        losses -= low
        squares += low * low
        growth *= 1.0 + value
        grown += growth
        scratch[i] = value
    nan = np.nan
    if m < 2 or not math.isfinite(total):
        mean_growth = grown / m if m else nan
        return ReturnsMeasured(
            nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, mean_growth
        )

    mean, market = total / m, held / m
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

    risk = math.sqrt(second / (m - 1))
    downside = math.sqrt(squares / m)
    yearly = math.sqrt(periods_per_year)
    ratio = mean / risk if risk >= STILL else nan
    beta = shared / spread if math.sqrt(spread / (m - 1)) >= STILL else nan
    variance = second / m
    skew = third / m / (variance * math.sqrt(variance)) if risk >= STILL else nan
    kurtosis = fourth / m / (variance * variance) - 3.0 if risk >= STILL else nan

    var_95, lowest, place = quantile(scratch[:m], 0.05, 0)
    best, _, _ = quantile(scratch[:m], 0.95, place)
    return ReturnsMeasured(
        risk * yearly,
        ratio * yearly,
        mean / downside * yearly if downside >= STILL else nan,
        gains / losses if losses > 0.0 else nan,
        (mean - beta * market) * periods_per_year,
        beta,
        var_95,
        _mean_of_lowest(returns, lowest, place + 1),
        abs(best) / abs(var_95) if var_95 != 0.0 else nan,
        skew,
        kurtosis,
        probabilistic_sharpe(ratio, skew, kurtosis, m),
        grown / m,
    )


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

"""The metrics of an equity curve (CONTRACT section 8): fractions, NaN where undefined.

Compiled by Numba, summed oldest first and in one order, so that equal curves give equal bits.
Risk-free is 0.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mela.candles import Candles
from mela.interval import DAY_MS, Interval

Float = NDArray[np.float64]
YEAR_MS = 365.25 * DAY_MS
STILL = 1e-12  # a deviation below this is rounding, not risk


@njit(cache=True, nogil=True, error_model="numpy")
def period_returns(account: Float, cash: float, returns: Float) -> None:
    """Write the simple return of each period.

    account: (m,) float64, equity at the periods' ends, all above 0 but perhaps the last
    cash: opening cash, from which the first return starts
    returns: (m,) float64, written
    """
    before = cash
    for period in range(len(account)):
        returns[period] = account[period] / before - 1.0
        before = account[period]


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
        if value < 0.0:
            squares += value * value
    risk = math.sqrt(squares / len(returns))
    if risk < STILL:
        return np.nan
    return _mean(returns) / risk * math.sqrt(periods_per_year)


@njit(cache=True, nogil=True, error_model="numpy")
def max_drawdown(equity: Float, cash: float) -> float:
    """Return the deepest fall below the running peak, as a fraction ≤ 0.

    equity: (bars,) float64, one value per candle, oldest first, no NaN
    cash: opening cash, the first peak
    returns: 0.0 for a curve that never falls

    Source: Magdon-Ismail & Atiya, "Maximum Drawdown", Risk 17 (2004).
    """
    worst, peak, trough = 0.0, cash, cash
    for value in equity:
        if value > peak:
            worst = min(worst, trough / peak - 1.0)
            peak = trough = value
        elif value < trough:
            trough = value
    return min(worst, trough / peak - 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def cagr(final_equity: float, cash: float, years: float) -> float:
    """Return the yearly growth rate; NaN for a final equity ≤ 0 or a rate beyond a double."""
    if final_equity <= 0.0:
        return np.nan
    rate = (final_equity / cash) ** (1.0 / years) - 1.0
    return rate if math.isfinite(rate) else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _mean(values: Float) -> float:
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


def buy_hold_return(first_open: float, last_close: float, fee: float, slippage: float) -> float:
    """Return what all cash, put in at the first open with costs, has gained at the last close.

    >>> buy_hold_return(100.0, 150.0, fee=0.0, slippage=0.25)
    0.19999999999999996
    """
    return last_close / (first_open * (1.0 + slippage) * (1.0 + fee)) - 1.0


def period_ends(candles: Candles) -> NDArray[np.int64]:
    """Return the last bar of each period, counted from the span's first: (m,) int64, rising.

    A period is a UTC day of opened_at, or a candle where the interval is above a day.
    """
    opened_ms = candles.opened_ms[candles.start_bar :]
    if not candles.interval.is_intraday:
        return np.arange(len(opened_ms), dtype=np.int64)
    days = opened_ms // DAY_MS
    changes = np.flatnonzero(np.diff(days, append=days[-1:] + 1))
    return changes.astype(np.int64)


def periods_per_year(candles: Candles) -> float:
    """Return how many periods a year has: 12 and 52 for months and weeks, else 365 or 252 days.

    365 where the calendar is 24/7 or a candle opens on a Saturday; a third of it for 3d.
    """
    if candles.interval is Interval.MO1:
        return 12.0
    if candles.interval is Interval.W1:
        return 52.0
    days = 365.0 if candles.calendar == "24/7" or _opens_on_saturday(candles) else 252.0
    return days / 3.0 if candles.interval is Interval.D3 else days


def _opens_on_saturday(candles: Candles) -> bool:
    weekdays = (candles.opened_ms // DAY_MS + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    return bool(np.any(weekdays == 5))


def years(candles: Candles) -> float:
    """Return the length of the span in years of 365.25 days, to the end of its last candle.

    returns: 0.0 for a span without candles
    """
    if candles.start_bar == len(candles):
        return 0.0
    last_ms = int(candles.opened_ms[-1])
    return (candles.interval.end_ms(last_ms) - int(candles.opened_ms[candles.start_bar])) / YEAR_MS

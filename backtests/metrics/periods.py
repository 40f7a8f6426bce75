"""The periods that returns are of, and how many a year has."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mela.calendars import ALWAYS, has_sessions, sessions
from mela.candles import Candles
from mela.interval import DAY_MS, Interval

Float = NDArray[np.float64]
Int = NDArray[np.int64]
YEAR_MS = 365.25 * DAY_MS


def rate_per_period(rate: float, periods_per_year: float) -> float:
    """Return what a yearly rate is in each period, so that a year of them compounds to it.

    >>> round(rate_per_period(0.21, 2.0), 12)
    0.1
    """
    return math.pow(1.0 + rate, 1.0 / periods_per_year) - 1.0 if rate else 0.0


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


def period_ends(candles: Candles) -> Int:
    """Return the last bar of each period, counted from the span's first: (m,) int64, rising.

    A period is a candle from a day on. For shorter candles it is a session, trades before the open
    and after the close included; in a market without sessions it is a UTC day of opened_at.
    """
    opened_ms = candles.opened_ms[candles.start_bar :]
    calendar = candles.calendar
    return ends_of_periods(opened_ms, calendar, is_intraday=candles.interval.is_intraday)


def ends_of_periods(opened_ms: Int, calendar: str, *, is_intraday: bool) -> Int:
    """Return the last of each period's candles, as `period_ends` does of a span: (m,) int64.

    >>> ends_of_periods(np.array([0, 3_600_000, 86_400_000]), "24/7", is_intraday=True).tolist()
    [1, 2]
    """
    if not is_intraday:
        return np.arange(len(opened_ms), dtype=np.int64)
    days = _sessions_of(calendar, opened_ms)
    if days is None:
        days = opened_ms // DAY_MS
    changes = np.flatnonzero(np.diff(days, append=days[-1:] + 1))
    return changes.astype(np.int64)


def has_utc_days(candles: Candles) -> bool:
    """Tell whether the periods of these candles are UTC days."""
    return candles.interval.is_intraday and not has_sessions(candles.calendar)


def _sessions_of(calendar: str, opened_ms: Int) -> Int | None:
    """Return which session each candle belongs to; None in markets without known sessions."""
    if not has_sessions(calendar):
        return None
    try:
        return sessions(calendar).holding(opened_ms)
    except ValueError:  # a market whose hours nobody knows
        return None


def benchmark_returns(candles: Candles, ends: Int) -> Float:
    """Return the period returns of holding from the span's first open on, costs left out.

    ends: (m,) int64, of `period_ends`
    returns: (m,) float64, what `measure_returns` compares with
    """
    if not len(ends):
        return np.empty(0)
    start = candles.start_bar
    prices = np.concatenate((candles.open[start : start + 1], candles.close[start + ends]))
    with np.errstate(over="ignore"):  # a price that all but vanished: alpha and beta are undefined
        return prices[1:] / prices[:-1] - 1.0


def periods_per_year(candles: Candles) -> float:
    """Return how many periods a year has: 12 and 52 for months and weeks, else 365 or 252 days.

    365 where the market never closes and 252 where it does; a third of that for 3d. Single candles
    do not decide: a session on a Saturday does not make a market that never closes.
    """
    if candles.interval is Interval.MO1:
        return 12.0
    if candles.interval is Interval.W1:
        return 52.0
    days = 365.0 if candles.calendar == ALWAYS else 252.0
    return days / 3.0 if candles.interval is Interval.D3 else days


def years(candles: Candles) -> float:
    """Return the length of the span in years of 365.25 days, to the end of its last candle.

    returns: 0.0 for a span without candles
    """
    if candles.start_bar == len(candles):
        return 0.0
    last_ms = int(candles.opened_ms[-1])
    return (candles.interval.end_ms(last_ms) - int(candles.opened_ms[candles.start_bar])) / YEAR_MS

"""The periods that returns are of, and how many a year has."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mela.candles import Candles
from mela.interval import DAY_MS, Interval

Float = NDArray[np.float64]
Int = NDArray[np.int64]
YEAR_MS = 365.25 * DAY_MS


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

    A period is a UTC day of opened_at, or a candle where the interval is above a day.
    """
    opened_ms = candles.opened_ms[candles.start_bar :]
    if not candles.interval.is_intraday:
        return np.arange(len(opened_ms), dtype=np.int64)
    days = opened_ms // DAY_MS
    changes = np.flatnonzero(np.diff(days, append=days[-1:] + 1))
    return changes.astype(np.int64)


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

"""What a walk writes down: fills, the account at each period's end, and how deep it fell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.signals import Float

SIGNAL, STOP_LOSS, TAKE_PROFIT, TRAILING_STOP, TIME_STOP, DAILY_LOSS = 1, 2, 3, 4, 5, 6
NEVER = np.inf
LARGE_FILL = 0.025  # share of a candle's volume above which a fill is large
BLOCK = 32  # candles looked at together

FILLS = np.dtype(
    [
        ("entry_bar", np.int64),
        ("exit_bar", np.int64),
        ("size", np.float64),
        ("entry_price", np.float64),
        ("exit_price", np.float64),
        ("fees", np.float64),
        ("profit", np.float64),
        ("reason", np.int64),
        ("slippage", np.float64),
        ("borrow", np.float64),
    ]
)

# The state of a fall below the running peak, kept in a (7,) float64 array
PEAK, TROUGH, PEAK_MS, WORST, DEPTHS, EPISODES, LONGEST_MS = 0, 1, 2, 3, 4, 5, 6
FALL_SIZE = 7


class Walked(NamedTuple):
    """What a walk counted.

    bars: candles of the span that were walked, fewer than it has where the run was ruined
    periods: period ends written; the last one of a ruined run is its last candle
    exposed: candles whose close found a position
    final: equity on the last candle walked
    traded, slippage, borrow: of all fills, an open position's entry included; quote currency
    large: fills above LARGE_FILL of their candle's volume
    """

    bars: int
    periods: int
    ruined: bool
    trades: int
    winning: int
    losing: int
    open_trades: int
    exposed: int
    ambiguous: int
    rejected: int
    large: int
    fees: float
    traded: float
    slippage: float
    borrow: float
    final: float


@njit(cache=True, nogil=True, error_model="numpy")
def begin_fall(fall: Float, cash: float, ms: float) -> None:
    """Start with the opening cash as the first peak, at the first candle."""
    fall[:] = 0.0
    fall[PEAK] = fall[TROUGH] = cash
    fall[PEAK_MS] = ms


@njit(cache=True, nogil=True, error_model="numpy")
def fall_step(fall: Float, value: float, ms: float) -> None:
    """Take in the equity of one candle. A fall ends where equity is back at its peak."""
    if value >= fall[PEAK]:
        if fall[TROUGH] < fall[PEAK]:
            end_fall(fall, ms)
        fall[PEAK] = fall[TROUGH] = value
        fall[PEAK_MS] = ms
    elif value < fall[TROUGH]:
        fall[TROUGH] = value


@njit(cache=True, nogil=True, error_model="numpy")
def end_fall(fall: Float, ms: float) -> None:
    """Count the fall that is under way, if there is one: at its recovery, or at the curve's end."""
    if fall[TROUGH] < fall[PEAK]:
        depth = fall[TROUGH] / fall[PEAK] - 1.0
        fall[WORST] = min(fall[WORST], depth)
        fall[DEPTHS] += depth
        fall[EPISODES] += 1.0
        fall[LONGEST_MS] = max(fall[LONGEST_MS], ms - fall[PEAK_MS])


@njit(cache=True, nogil=True, error_model="numpy")
def rest(
    opened_ms: NDArray[np.int64],
    first: int,
    end: int,
    cash: float,
    fall: Float,
    equity: Float,
    start: int,
) -> None:
    """Take in the candles of [first, end) without a position; write their equity if asked."""
    if first >= end:
        return
    if cash >= fall[PEAK]:  # back at the peak, and at it until the last of them
        fall_step(fall, cash, float(opened_ms[first]))
        fall_step(fall, cash, float(opened_ms[end - 1]))
    elif cash < fall[TROUGH]:
        fall[TROUGH] = cash
    if len(equity):
        equity[first - start : end - start] = cash


@njit(cache=True, nogil=True, error_model="numpy")
def _extremes(values: Float, first: int, end: int) -> tuple[float, float]:
    # Two chains each: one alone waits for itself, and the compiler does not split it.
    low = high = values[first]
    lower, higher = low, high
    bar = first
    while bar + 2 <= end:
        one, other = values[bar], values[bar + 1]
        low = one if one < low else low
        high = one if one > high else high
        lower = other if other < lower else lower
        higher = other if other > higher else higher
        bar += 2
    if bar < end:
        low, high = min(low, values[bar]), max(high, values[bar])
    return min(low, lower), max(high, higher)


@njit(cache=True, nogil=True, error_model="numpy")
def hold(
    close: Float,
    opened_ms: NDArray[np.int64],
    first: int,
    end: int,
    cash: float,
    units: float,
    fall: Float,
    equity: Float,
    start: int,
) -> tuple[int, bool]:
    """Take in the candles of [first, end) with a long position, up to its ruin.

    Blocks of candles that stay below the peak are taken by their extremes alone: equity rises with
    the close, rounding included, so that the same bits come out.

    equity: written where it has a length
    returns: the bar after the last one taken, and whether that one's equity is ≤ 0
    """
    if len(equity):
        for each in range(first, end):
            equity[each - start] = cash + units * close[each]
    bar = first
    while bar < end:
        stop = min(bar + BLOCK, end)
        low, high = _extremes(close, bar, stop)
        lowest = cash + units * low
        if lowest <= 0.0:
            for each in range(bar, stop):
                value = cash + units * close[each]
                fall_step(fall, value, float(opened_ms[each]))
                if value <= 0.0:
                    return each + 1, True
        elif cash + units * high < fall[PEAK]:
            fall[TROUGH] = min(fall[TROUGH], lowest)
        else:
            for each in range(bar, stop):
                fall_step(fall, cash + units * close[each], float(opened_ms[each]))
        bar = stop
    return end, False


@njit(cache=True, nogil=True, error_model="numpy")
def close_periods(
    ends: NDArray[np.int64],
    period: int,
    start: int,
    end: int,
    close: Float,
    cash: float,
    units: float,
    account: Float,
) -> int:
    """Write the equity at the ends of the periods that end before bar `end`; return the next one.

    ends: (m,) int64, the last bar of each period, counted from `start`
    """
    while period < len(ends) and ends[period] + start < end:
        account[period] = cash + units * close[ends[period] + start] if units != 0.0 else cash
        period += 1
    return period

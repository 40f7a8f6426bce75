"""What a walk writes down: the account at each period's end, and how deep it fell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtests.signals import Float
from execution.terms import kernel

BLOCK = 32  # candles looked at together; their extremes are kept
STRIDE = 24  # values of equity written together

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


@kernel
def begin_fall(fall: Float, cash: float, ms: float) -> None:
    """Start with the opening cash as the first peak, at the first candle."""
    fall[:] = 0.0
    fall[PEAK] = fall[TROUGH] = cash
    fall[PEAK_MS] = ms


@kernel
def fall_step(fall: Float, value: float, ms: float) -> None:
    """Take in the equity of one candle. A fall ends where equity is back at its peak."""
    if value >= fall[PEAK]:
        if fall[TROUGH] < fall[PEAK]:
            end_fall(fall, ms)
        fall[PEAK] = fall[TROUGH] = value
        fall[PEAK_MS] = ms
    elif value < fall[TROUGH]:
        fall[TROUGH] = value


@kernel
def end_fall(fall: Float, ms: float) -> None:
    """Count the fall that is under way, if there is one: at its recovery, or at the curve's end."""
    if fall[TROUGH] < fall[PEAK]:
        depth = fall[TROUGH] / fall[PEAK] - 1.0
        fall[WORST] = min(fall[WORST], depth)
        fall[DEPTHS] += depth
        fall[EPISODES] += 1.0
        fall[LONGEST_MS] = max(fall[LONGEST_MS], ms - fall[PEAK_MS])


@kernel
def rest(opened_ms: NDArray[np.int64], first: int, end: int, cash: float, fall: Float) -> None:
    """Take in the candles of [first, end) without a position."""
    if first >= end:
        return
    if cash >= fall[PEAK]:  # back at the peak, and at it until the last of them
        fall_step(fall, cash, float(opened_ms[first]))
        fall_step(fall, cash, float(opened_ms[end - 1]))
    elif cash < fall[TROUGH]:
        fall[TROUGH] = cash


@kernel
def closes_of(lowest: Float, highest: Float, first: int, end: int) -> tuple[float, float]:
    """Return a close no bar of [first, end) is below, and one that none is above.

    They are those of the blocks that the bars lie in.
    lowest, highest: the least and the greatest close of each BLOCK bars
    """
    block, last = first // BLOCK, (end - 1) // BLOCK
    low, high = lowest[block], highest[block]
    while block < last:
        block += 1
        low = min(low, lowest[block])
        high = max(high, highest[block])
    return low, high


@kernel
def hold(
    close: Float,
    opened_ms: NDArray[np.int64],
    lowest: Float,
    highest: Float,
    first: int,
    end: int,
    cash: float,
    units: float,
    fall: Float,
) -> tuple[int, bool]:
    """Take in the candles of [first, end) with a long position, up to its ruin.

    Blocks of candles within what the fall has seen are passed over by their extremes alone: equity
    rises with the close, rounding included, so that the same bits come out.

    returns: the bar after the last one taken, and whether that one's equity is ≤ 0
    """
    bar = first
    while bar < end:
        block = bar // BLOCK
        stop = min((block + 1) * BLOCK, end)
        inside = cash + units * lowest[block] >= fall[TROUGH]
        if not (inside and cash + units * highest[block] < fall[PEAK]):
            for each in range(bar, stop):
                value = cash + units * close[each]
                fall_step(fall, value, float(opened_ms[each]))
                if value <= 0.0:
                    return each + 1, True
        bar = stop
    return end, False


@kernel
def write_rest(equity: Float, first: int, end: int, cash: float) -> None:
    """Write the equity of [first, end), counted from the span's start, without a position.

    Whole strides are written as long as there is room: what lies behind is written after. How long
    a rest or a hold lasts cannot be foretold, and one stride is enough for most.
    """
    bar = first
    while bar < end and bar + STRIDE <= len(equity):
        into = equity[bar : bar + STRIDE]
        for each in range(STRIDE):
            into[each] = cash
        bar += STRIDE
    while bar < end:
        equity[bar] = cash
        bar += 1


@kernel
def write_hold(
    equity: Float, start: int, first: int, end: int, cash: float, units: float, close: Float
) -> None:
    """Write the equity of bars [first, end) with a position, in strides as `write_rest`."""
    bar = first
    while bar < end and bar + STRIDE <= len(close):
        into, closes = equity[bar - start : bar - start + STRIDE], close[bar : bar + STRIDE]
        for each in range(STRIDE):
            into[each] = cash + units * closes[each]
        bar += STRIDE
    while bar < end:
        equity[bar - start] = cash + units * close[bar]
        bar += 1


@kernel
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

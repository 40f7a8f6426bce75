"""The ledger of a walk: the account at each period's end, and its drawdown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtests.signals import Float
from execution.terms import kernel

CLOSES_PER_BLOCK = 32  # candles looked at together; their extremes are kept
STRIDE = 24  # values of equity written together

# The state of a drawdown below the running peak, kept in a (7,) float64 array
PEAK, TROUGH, PEAK_MS, WORST, DEPTHS, EPISODES, LONGEST_MS = 0, 1, 2, 3, 4, 5, 6
DRAWDOWN_SIZE = 7


class Walked(NamedTuple):
    """The counters of a walk.

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
def begin_drawdown(drawdown: Float, cash: float, ms: float) -> None:
    """Start with the opening cash as the first peak, at the first candle."""
    drawdown[:] = 0.0
    drawdown[PEAK] = drawdown[TROUGH] = cash
    drawdown[PEAK_MS] = ms


@kernel
def step_drawdown(drawdown: Float, value: float, ms: float) -> None:
    """Take in the equity of one candle. A drawdown ends where equity is back at its peak."""
    if value >= drawdown[PEAK]:
        if drawdown[TROUGH] < drawdown[PEAK]:
            end_drawdown(drawdown, ms)
        drawdown[PEAK] = drawdown[TROUGH] = value
        drawdown[PEAK_MS] = ms
    elif value < drawdown[TROUGH]:
        drawdown[TROUGH] = value


@kernel
def end_drawdown(drawdown: Float, ms: float) -> None:
    """Count the drawdown that is under way, if any: at its recovery, or at the curve's end."""
    if drawdown[TROUGH] < drawdown[PEAK]:
        depth = drawdown[TROUGH] / drawdown[PEAK] - 1.0
        drawdown[WORST] = min(drawdown[WORST], depth)
        drawdown[DEPTHS] += depth
        drawdown[EPISODES] += 1.0
        drawdown[LONGEST_MS] = max(drawdown[LONGEST_MS], ms - drawdown[PEAK_MS])


@kernel
def rest(opened_ms: NDArray[np.int64], first: int, end: int, cash: float, drawdown: Float) -> None:
    """Take in the candles of [first, end) without a position."""
    if first >= end:
        return
    if cash >= drawdown[PEAK]:  # back at the peak, and at it until the last of them
        step_drawdown(drawdown, cash, float(opened_ms[first]))
        step_drawdown(drawdown, cash, float(opened_ms[end - 1]))
    elif cash < drawdown[TROUGH]:
        drawdown[TROUGH] = cash


@kernel
def closes_of(lowest: Float, highest: Float, first: int, end: int) -> tuple[float, float]:
    """Return a close no bar of [first, end) is below, and one that none is above.

    They are those of the blocks that the bars lie in.
    lowest, highest: the least and the greatest close of each CLOSES_PER_BLOCK bars
    """
    block, last = first // CLOSES_PER_BLOCK, (end - 1) // CLOSES_PER_BLOCK
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
    drawdown: Float,
) -> tuple[int, bool]:
    """Take in the candles of [first, end) with a long position, up to its ruin.

    Blocks of candles between the trough and the peak are passed over by their extremes alone:
    equity rises with the close, rounding included, so that the same bits come out.

    returns: the bar after the last one taken, and whether that one's equity is ≤ 0
    """
    bar = first
    while bar < end:
        block = bar // CLOSES_PER_BLOCK
        stop = min((block + 1) * CLOSES_PER_BLOCK, end)
        inside = cash + units * lowest[block] >= drawdown[TROUGH]
        if not (inside and cash + units * highest[block] < drawdown[PEAK]):
            for each in range(bar, stop):
                value = cash + units * close[each]
                step_drawdown(drawdown, value, float(opened_ms[each]))
                if value <= 0.0:
                    return each + 1, True
        bar = stop
    return end, False


@kernel
def write_rest(equity: Float, first: int, end: int, cash: float) -> None:
    """Write the equity of [first, end), counted from the span's start, without a position.

    Whole strides are written as long as there is room: what lies behind is written after. The
    length of a rest or a hold cannot be foretold, and one stride is enough for most.
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
    period_equity: Float,
) -> int:
    """Write the equity at the ends of the periods that end before bar `end`; return the next one.

    ends: (m,) int64, the last bar of each period, counted from `start`
    """
    while period < len(ends) and ends[period] + start < end:
        period_equity[period] = cash + units * close[ends[period] + start] if units != 0.0 else cash
        period += 1
    return period

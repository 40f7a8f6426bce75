"""The walk of the plain rules, from signal to signal: long, market orders, a fraction of the cash.

Signals are found once, as lists of bars; levels are searched in blocks of candles; equity is taken
in only while a position is held.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtests.kernel.crossings import Bars, crossing_bars, mean_crossing_bars, signal_bars
from backtests.kernel.ledger import (
    CLOSES_PER_BLOCK,
    PEAK,
    TROUGH,
    Walked,
    begin_drawdown,
    close_periods,
    closes_of,
    end_drawdown,
    hold,
    rest,
    write_hold,
    write_rest,
)
from backtests.signals import Bool, Float
from execution.terms import NEVER, kernel
from execution.trades import LARGE_FILL, SIGNAL, STOP_LOSS, TAKE_PROFIT, record_trade

FLAGS, LINES, MEANS = 0, 1, 2


@kernel
def _next_reached(
    high: Float,
    low: Float,
    volume: Float,
    quiet_from: int,
    stop: float,
    target: float,
    first: int,
    end: int,
) -> int:
    """Return the first bar of [first, end) that reaches one of the levels, else `end`.

    quiet_from: the first bar from which those without volume are passed over
    """
    bar = first
    while bar < end:
        until = min(bar + CLOSES_PER_BLOCK, end)
        found = False
        for each in range(bar, until):
            found |= (low[each] <= stop) | (high[each] >= target)
        if found:
            while bar < until:
                reached = low[bar] <= stop or high[bar] >= target
                if reached and (bar < quiet_from or volume[bar] > 0.0):
                    return bar
                bar += 1
        bar = until
    return end


@kernel
def leave_long(
    open_: float, high: float, low: float, stop: float, target: float, entering: bool
) -> tuple[int, float, bool]:
    """Return why a candle that reached a level ends the position, its price, and if it was both.

    The price is before slippage. On the entry candle (`entering`) nothing fills at the open.
    """
    if not entering and open_ <= stop:
        return STOP_LOSS, open_, False
    if low <= stop:
        return STOP_LOSS, stop, high >= target and open_ > stop
    if not entering and open_ >= target:
        return TAKE_PROFIT, open_, False
    return TAKE_PROFIT, target, False


@kernel
def _next_fillable(volume: Float, quiet_from: int, first: int) -> int:
    """Return the first bar from `first` on that fills orders, else how many bars there are."""
    bar = first
    while quiet_from <= bar < len(volume) and volume[bar] == 0.0:
        bar += 1
    return bar


# Not split: two dozen numbers go from trade to trade, and each part would have to take and return
# most of them.
@kernel
def walk_events(
    open_: Float,
    high: Float,
    low: Float,
    close: Float,
    volume: Float,
    opened_ms: NDArray[np.int64],
    quiet_from: int,
    lowest: Float,
    highest: Float,
    signal_kind: int,
    fast: int,
    slow: int,
    line: Float,
    level: Float,
    enter: Bool,
    exit_: Bool,
    above: Bars,
    below: Bars,
    flags: Bool,
    words: Bars,
    start: int,
    cash: float,
    fee: float,
    slippage: float,
    fraction: float,
    stop_loss: float,
    take_profit: float,
    cooldown: int,
    protect_delay: int,
    ends: NDArray[np.int64],
    period_equity: Float,
    drawdown: Float,
    equity: Float,
    trades: np.ndarray,
) -> Walked:
    """Execute signals on candles: long, at the market, a fraction of the cash.

    open_ … volume: (n,) float64, checked; opened_ms: (n,) int64
    quiet_from: the first bar from which candles without volume fill nothing
    lowest, highest: (⌈n / CLOSES_PER_BLOCK⌉,) float64, the least and greatest close of each block
    signal_kind: what gives the signals, the others are not looked at: MEANS of `fast` and `slow`
        closes, LINES `line` and `level`, (n,) float64, or FLAGS `enter` and `exit_`, (n,) bool
    above, below, flags, words: room for what `crossings` finds
    start: the first bar of the span; bars before it are warm-up, where nothing fills
    stop_loss, take_profit: fractions of the entry's price; NEVER for none
    protect_delay: 0 where stop and target live from the entry candle on, 1 from the next
    ends: (m,) int64, the last bar of each period, counted from `start`
    period_equity: (m,) float64, written: equity at the periods' ends
    drawdown: (DRAWDOWN_SIZE,) float64, written
    equity: (≥ n - start,) float64, written: cash + units × close; of length 0 where not wanted
    trades: (≥ (n - start + 1) / 2,) TRADES, written: one row per trade
    """
    n = len(close)
    closed = winning = losing = open_trades = exposed = ambiguous = large = period = 0
    fees = traded = slippage_paid = 0.0
    ruined = False
    protected = stop_loss < NEVER or take_profit < NEVER
    begin_drawdown(drawdown, cash, float(opened_ms[start]))
    peak = trough = cash  # as in `drawdown`, where they are put back before it is used
    has_curve = len(equity) > 0
    # Flat since a fill inside `flat_from`, or from the start. Of the warm-up's signals only those
    # on its last candle can fill inside the span.
    flat_from = start
    free_from = max(start - 1, 0)
    if signal_kind == MEANS:
        entries, exits = mean_crossing_bars(close, fast, slow, free_from, above, below)
    elif signal_kind == LINES:
        entries, exits = crossing_bars(line, level, free_from, above, below, flags, words)
    else:
        entries, exits = signal_bars(enter, exit_, free_from, above, below, flags, words)
    next_entry = next_exit = 0
    while not ruined:
        while next_entry < entries and above[next_entry] < free_from:
            next_entry += 1
        if next_entry == entries or above[next_entry] + 1 >= n:
            break

        entry_bar = _next_fillable(volume, quiet_from, int(above[next_entry]) + 1)
        if entry_bar >= n:
            break
        while next_exit < exits and below[next_exit] <= above[next_entry]:
            next_exit += 1
        if next_exit < exits and below[next_exit] < entry_bar:
            next_entry += 1  # an exit signal while the order waited takes it back
            continue
        if cash < peak:
            if flat_from < entry_bar:
                trough = min(trough, cash)
        else:
            drawdown[TROUGH] = trough
            rest(opened_ms, flat_from, entry_bar, cash, drawdown)
            peak, trough = drawdown[PEAK], drawdown[TROUGH]
        if has_curve:
            write_rest(equity, flat_from - start, entry_bar - start, cash)
        period = close_periods(ends, period, start, entry_bar, close, cash, 0.0, period_equity)
        entry_price = open_[entry_bar] * (1.0 + slippage)
        units = fraction * cash / (entry_price * (1.0 + fee))
        entry_fee = units * entry_price * fee
        entry_cost = units * entry_price + entry_fee
        cash -= entry_cost
        fees += entry_fee
        traded += units * entry_price
        trade_slippage = units * (entry_price - open_[entry_bar])

        # The market order of the first exit signal fills first on its candle, if nothing before.
        while next_exit < exits and below[next_exit] < entry_bar:
            next_exit += 1
        last = n
        if next_exit < exits:
            last = min(_next_fillable(volume, quiet_from, int(below[next_exit]) + 1), n)
        bar = last
        stop = entry_price * (1.0 - stop_loss)
        target = entry_price * (1.0 + take_profit)
        if protected:
            since = min(entry_bar + protect_delay, last)
            bar = _next_reached(high, low, volume, quiet_from, stop, target, since, last)

        flat_from = bar
        low_close, high_close = closes_of(lowest, highest, entry_bar, bar)
        if not (cash + units * low_close >= trough and cash + units * high_close < peak):
            drawdown[TROUGH] = trough
            flat_from, ruined = hold(
                close, opened_ms, lowest, highest, entry_bar, bar, cash, units, drawdown
            )
            peak, trough = drawdown[PEAK], drawdown[TROUGH]
        if has_curve:
            write_hold(equity, start, entry_bar, flat_from, cash, units, close)
        period = close_periods(ends, period, start, flat_from, close, cash, units, period_equity)
        exposed += flat_from - entry_bar
        if ruined or flat_from == n:
            open_trades = 1
            slippage_paid += trade_slippage
            large += (volume[entry_bar] > 0.0) & (LARGE_FILL * volume[entry_bar] < units)
            cash += units * close[flat_from - 1]  # what the account is worth, for the end
            break

        if bar == last:
            reason, reference = SIGNAL, open_[bar]
        else:
            reason, reference, both = leave_long(
                open_[bar], high[bar], low[bar], stop, target, bar == entry_bar
            )
            ambiguous += both
        exit_price = reference
        if reason != TAKE_PROFIT:
            exit_price *= 1.0 - slippage
        exit_fee = units * exit_price * fee
        earned = units * exit_price - exit_fee
        cash += earned
        fees += exit_fee
        traded += units * exit_price
        trade_slippage += units * (reference - exit_price)
        slippage_paid += trade_slippage
        profit = earned - entry_cost
        # no branches: what a candle's volume is cannot be foretold
        large += (volume[entry_bar] > 0.0) & (LARGE_FILL * volume[entry_bar] < units)
        large += (volume[bar] > 0.0) & (LARGE_FILL * volume[bar] < units)
        winning += profit > 0.0
        losing += profit < 0.0
        record_trade(
            trades[closed],
            entry_bar,
            bar,
            units,
            entry_price,
            exit_price,
            entry_fee + exit_fee,
            profit,
            reason,
            trade_slippage,
            0.0,
        )
        closed += 1
        free_from = bar + cooldown
        if cash <= 0.0:
            ruined = True
            drawdown[TROUGH] = trough
            rest(opened_ms, bar, bar + 1, cash, drawdown)
            trough = drawdown[TROUGH]
            if has_curve:
                equity[bar - start] = cash
            flat_from = bar + 1
    drawdown[TROUGH] = trough
    bars = flat_from - start if ruined else n - start
    if ruined:
        # the last return goes to the equity that ruined the run
        if period < len(ends) and (period == 0 or ends[period - 1] < bars - 1):
            period_equity[period] = cash
            period += 1
    elif open_trades == 0:
        rest(opened_ms, flat_from, n, cash, drawdown)
        if has_curve:
            equity[flat_from - start :] = cash
        period = close_periods(ends, period, start, n, close, cash, 0.0, period_equity)
    end_drawdown(drawdown, float(opened_ms[start + bars - 1]))
    return Walked(
        bars,
        period,
        ruined,
        closed,
        winning,
        losing,
        open_trades,
        exposed,
        ambiguous,
        0,
        large,
        fees,
        traded,
        slippage_paid,
        0.0,
        cash,
    )

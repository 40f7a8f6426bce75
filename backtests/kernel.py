"""The walk over the candles: orders, fills, stops, targets and equity (CONTRACT section 7).

Compiled by Numba, without fastmath: the order of every operation is part of the result. One walk
serves every caller, so that metrics are bit-equal whether or not somebody wants the trades.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backtests.signals import Bool, Float

SIGNAL, STOP_LOSS, TAKE_PROFIT = 1, 2, 3
NEVER = np.inf

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
    ]
)


class Walked(NamedTuple):
    """What a walk counted.

    bars: candles of the span that were walked, fewer than it has where the run was ruined
    exposed: candles whose close found a position
    """

    bars: int
    ruined: bool
    trades: int
    winning: int
    losing: int
    open_trades: int
    exposed: int
    ambiguous: int
    fees: float


@njit(cache=True, nogil=True, error_model="numpy")
def _leave(
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


@njit(cache=True, nogil=True, error_model="numpy")
def _hold(
    close: Float, first: int, end: int, cash: float, units: float, equity: Float, start: int
) -> tuple[int, bool]:
    """Write the equity of a position held on the closes of [first, end), up to its ruin.

    returns: the bar after the last one written, and whether that one's equity is ≤ 0
    """
    ruined = False
    for bar in range(first, end):
        value = cash + units * close[bar]
        equity[bar - start] = value
        ruined |= value <= 0.0
    if ruined:
        end = first
        while equity[end - start] > 0.0:
            end += 1
        end += 1
    return end, ruined


@njit(cache=True, nogil=True, error_model="numpy")
def walk(
    open_: Float,
    high: Float,
    low: Float,
    close: Float,
    entries: NDArray[np.int64],
    exit_: Bool,
    start: int,
    cash: float,
    fee: float,
    slippage: float,
    fraction: float,
    stop_loss: float,
    take_profit: float,
    cooldown: int,
    protect_delay: int,
    equity: Float,
    fills: np.ndarray,
) -> Walked:
    """Execute signals on candles, long only, one position at a time.

    open_, high, low, close: (n,) float64, checked
    entries: (m,) int64, rising: the bars on whose close an entry signal stands and no exit signal
    exit_: (n,) bool, the exit signals
    start: the first bar of the span; bars before it are warm-up, where nothing fills
    stop_loss, take_profit: fractions of the entry's price; NEVER for none
    protect_delay: 0 where stop and target live from the entry candle on, 1 from the next
    equity: (≥ n - start,) float64, written: cash + units × close
    fills: (≥ n - start,) FILLS, written: one row per trade, bars counted in the candles given
    """
    n = len(close)
    trades = winning = losing = open_trades = exposed = ambiguous = 0
    fees = 0.0
    ruined = False
    protected = stop_loss < NEVER or take_profit < NEVER
    # Flat since a fill inside `flat_from`, or from the start. Of the warm-up's signals only those
    # on its last candle can fill inside the span.
    flat_from = start
    free_from = start - 1
    signal = 0
    while not ruined:
        while signal < len(entries) and entries[signal] < free_from:
            signal += 1
        if signal == len(entries) or entries[signal] + 1 >= n:
            break

        entry_bar = int(entries[signal]) + 1
        for flat in range(flat_from, entry_bar):
            equity[flat - start] = cash
        entry_price = open_[entry_bar] * (1.0 + slippage)
        units = fraction * cash / (entry_price * (1.0 + fee))
        entry_fee = units * entry_price * fee
        spent = units * entry_price + entry_fee
        cash -= spent
        fees += entry_fee

        # The market order of the first exit signal fills first on its candle, if nothing before.
        last = entry_bar
        while last < n and not exit_[last]:
            last += 1
        last = min(last + 1, n)
        bar = last
        stop = entry_price * (1.0 - stop_loss)
        target = entry_price * (1.0 + take_profit)
        if protected:
            bar = min(entry_bar + protect_delay, last)
            while bar < last and low[bar] > stop and high[bar] < target:
                bar += 1

        flat_from, ruined = _hold(close, entry_bar, bar, cash, units, equity, start)
        exposed += flat_from - entry_bar
        if ruined or flat_from == n:
            open_trades = 1
            break

        if bar == last:
            reason, exit_price = SIGNAL, open_[bar]
        else:
            reason, exit_price, both = _leave(
                open_[bar], high[bar], low[bar], stop, target, bar == entry_bar
            )
            ambiguous += both
        if reason != TAKE_PROFIT:
            exit_price *= 1.0 - slippage
        exit_fee = units * exit_price * fee
        earned = units * exit_price - exit_fee
        cash += earned
        fees += exit_fee
        profit = earned - spent
        winning += profit > 0.0
        losing += profit < 0.0
        row = fills[trades]
        row["entry_bar"] = entry_bar
        row["exit_bar"] = bar
        row["size"] = units
        row["entry_price"] = entry_price
        row["exit_price"] = exit_price
        row["fees"] = entry_fee + exit_fee
        row["profit"] = profit
        row["reason"] = reason
        trades += 1
        free_from = bar + cooldown
        if cash <= 0.0:
            ruined = True
            equity[bar - start] = cash
            flat_from = bar + 1
    bars = flat_from - start if ruined else n - start
    equity[flat_from - start : bars] = cash
    return Walked(bars, ruined, trades, winning, losing, open_trades, exposed, ambiguous, fees)

"""The walk over the candles: orders, fills, stops, targets and equity (CONTRACT section 7).

Compiled by Numba, without fastmath: the order of every operation is part of the result. One walk
serves every caller, so that metrics are bit-equal whether or not somebody wants the trades.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from backtests.signals import Bool, Float

HELD, SIGNAL, STOP_LOSS, TAKE_PROFIT = 0, 1, 2, 3
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
    """Return why a candle closes the position, at what price before slippage, and if both were hit."""
    if not entering and open_ <= stop:
        return STOP_LOSS, open_, False
    if low <= stop:
        return STOP_LOSS, stop, high >= target and open_ > stop
    if not entering and open_ >= target:
        return TAKE_PROFIT, open_, False
    if high >= target:
        return TAKE_PROFIT, target, False
    return HELD, 0.0, False


@njit(cache=True, nogil=True, error_model="numpy")
def walk(
    open_: Float,
    high: Float,
    low: Float,
    close: Float,
    enter: Bool,
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

    open_, high, low, close: (n,) float64, checked; enter, exit_: (n,) bool
    start: the first bar of the span; bars before it are warm-up, where nothing fills
    stop_loss, take_profit: fractions of the entry's price; NEVER for none
    protect_delay: 0 where stop and target live from the entry candle on, 1 from the next
    equity: (n - start,) float64, written: cash + units × close
    fills: (n - start,) FILLS, written: one row per closed trade, bars counted in the candles given
    """
    n = len(close)
    trades = winning = losing = open_trades = exposed = ambiguous = 0
    fees = 0.0
    ruined = False
    free_from = 0
    bar = start - 1
    while not ruined:
        # Flat on the close of `bar`: wait for an entry signal that counts. One on the last close
        # never fills, one on the last warm-up candle fills at the first open.
        while bar < n - 1 and not (bar >= free_from and enter[bar] and not exit_[bar]):
            bar += 1
            equity[bar - start] = cash
        if bar >= n - 1:
            break

        bar += 1
        entry_bar = bar
        entry_price = open_[bar] * (1.0 + slippage)
        units = fraction * cash / (entry_price * (1.0 + fee))
        entry_fee = units * entry_price * fee
        spent = units * entry_price + entry_fee
        cash -= spent
        fees += entry_fee
        stop = entry_price * (1.0 - stop_loss)
        target = entry_price * (1.0 + take_profit)
        live_from = entry_bar + protect_delay

        reason = HELD
        exit_price = 0.0
        leaving = False
        while bar < n:
            if leaving:
                reason = SIGNAL
                exit_price = open_[bar]
            elif bar >= live_from:
                reason, exit_price, both = _leave(
                    open_[bar], high[bar], low[bar], stop, target, bar == entry_bar
                )
                ambiguous += both
            if reason != HELD:
                break
            value = cash + units * close[bar]
            equity[bar - start] = value
            exposed += 1
            bar += 1
            if value <= 0.0:
                ruined = True
                break
            leaving = exit_[bar - 1]
        if reason == HELD:
            open_trades = 1
            break

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
        equity[bar - start] = cash
        free_from = bar + cooldown
        ruined = cash <= 0.0
        if ruined:
            bar += 1
    bars = min(bar, n) - start if ruined else n - start
    return Walked(bars, ruined, trades, winning, losing, open_trades, exposed, ambiguous, fees)

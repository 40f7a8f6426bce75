"""One candle of one instrument: its open, what happens within it, and its close."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from execution.account import Account, count_fill
from execution.costs import fee_of, interest, market_price, on_tick, worse_tick
from execution.exits import AT_OPEN, BY_LIMIT, BY_STOP, HELD, protect, reached_level
from execution.orders import resting_exit, resting_fill, resting_level, side_ordered
from execution.risk import begin_day, can_afford, limit_daily_loss, order_market_exit
from execution.sizing import entry_units
from execution.terms import LIMIT, MARKET, NEVER, Terms, rule
from execution.trades import SIGNAL, TAKE_PROFIT, TIME_STOP, is_large, record_trade


class Candle(NamedTuple):
    """A closed candle. fillable: whether it can fill an order."""

    opened_ms: int
    ended_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    fillable: bool


class Decision(NamedTuple):
    """The decision of a strategy on a close.

    measure: what the sizing measures there; strength: 1.0 for a whole entry
    stop, target: levels for the next candle, NaN for none
    exit_price: limit of the exit that this close orders, NaN for none
    """

    enter: bool
    exit: bool
    enter_short: bool
    exit_short: bool
    measure: float
    strength: float
    stop: float
    target: float
    exit_price: float = np.nan


@rule
def trade_candle(
    account: Account, candle: Candle, terms: Terms, trades: np.ndarray, row: int
) -> int:
    """Execute what was ordered before a candle: at its open, then within it.

    trades: TRADES, written from `row` on; at most two trades are closed on a candle
    returns: the row after the last one written
    """
    begin_day(account, candle.opened_ms)
    account.came = HELD
    if candle.fillable:
        if account.side != 0.0 and account.exit_reason != 0:
            rests = account.bar <= account.exit_expires
            if not rests or account.side * candle.open >= account.side * account.exit_level:
                why = account.exit_reason
                close_position(account, candle, why, candle.open, rests, terms, trades[row])
                row += 1
        if account.side == 0.0 and account.order_side != 0.0 and account.cash > 0.0:
            fill_entry(account, candle, terms)
    expires = terms.entry_kind != MARKET and account.bar >= account.order_expires
    if account.order_side != 0.0 and expires:
        account.order_side = 0.0
    if (
        candle.fillable
        and account.side != 0.0
        and account.bar >= account.entry_bar + terms.exits.protect_delay
    ):
        why, reference, both = reached_level(
            account,
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            account.side,
            account.came,
            account.entered,
            account.bar - account.entry_bar,
            resting_exit(account),
            terms.tick,
            terms.exits,
        )
        if why != 0:
            is_limit = why in (TAKE_PROFIT, SIGNAL)
            close_position(account, candle, why, reference, is_limit, terms, trades[row])
            row += 1
            account.ambiguous += both
    return row


@rule
def fill_entry(account: Account, candle: Candle, terms: Terms) -> None:
    """Fill the ordered entry if the candle reaches it; reject what the account cannot bear."""
    side, signal_close = account.order_side, account.order_close
    fills, reference, at_open = True, candle.open, True
    if terms.entry_kind != MARKET:
        level = on_tick(resting_level(signal_close, side, terms), terms.tick)
        fills, reference, at_open = resting_fill(
            candle.open, candle.high, candle.low, side, level, terms.entry_kind
        )
    if not fills:
        return
    is_limit = terms.entry_kind == LIMIT
    if is_limit:
        price = worse_tick(reference, terms.tick, side)
    else:
        price = market_price(reference, 0.0, 0.0, side, terms)
    measure, strength = account.order_measure, account.order_strength
    units = entry_units(account.cash, price, signal_close, measure, strength, terms)
    units = min(units, account.order_most)
    if terms.costs.impact > 0.0 and not is_limit and units > 0.0:
        price = market_price(reference, units, candle.volume, side, terms)
        units = entry_units(account.cash, price, signal_close, measure, strength, terms)
        units = min(units, account.order_most)
    account.order_side = 0.0
    if not can_afford(units, price, signal_close, account.cash, terms):
        account.rejected += 1
        return
    account.came = AT_OPEN if at_open else BY_LIMIT if is_limit else BY_STOP
    account.entered = reference
    open_position(account, candle, side, units, price, terms)


@rule
def open_position(
    account: Account, candle: Candle, side: float, units: float, price: float, terms: Terms
) -> None:
    """Take the fill of an entry into the account, and set the levels that protect it."""
    fee = fee_of(units, price, terms.costs.fee, terms.costs.minimum_fee)
    account.side, account.units = side, units
    account.entry_bar, account.entry_fee = account.bar, fee
    account.cost = side * units * price + fee
    account.cash -= account.cost
    count_fill(account, units, price, fee, is_large(units, candle.volume))
    account.position_slippage = side * units * (price - account.entered)
    account.position_borrow = 0.0
    protect(account, price, side, terms.tick, terms.exits)
    account.charged_ms = candle.opened_ms


@rule
def close_position(
    account: Account,
    candle: Candle,
    why: int,
    reference: float,
    is_limit: bool,
    terms: Terms,
    row: np.void,
) -> None:
    """Close the position at a reference price and record its trade."""
    side, units = account.side, account.units
    if is_limit:
        price = worse_tick(reference, terms.tick, -side)
    else:
        price = market_price(reference, units, candle.volume, -side, terms)
    charge_borrow(account, reference, candle.opened_ms, terms)
    fee = fee_of(units, price, terms.costs.fee, terms.costs.minimum_fee)
    earned = side * units * price - fee
    account.cash += earned
    count_fill(account, units, price, fee, is_large(units, candle.volume))
    account.position_slippage += side * units * (reference - price)
    account.slippage += account.position_slippage
    account.borrow += account.position_borrow
    profit = earned - account.cost - account.position_borrow
    account.trades += 1
    account.winning += profit > 0.0
    account.losing += profit < 0.0
    record_trade(
        row,
        account.entry_bar,
        account.bar,
        side * units,
        account.entry_price,
        price,
        account.entry_fee + fee,
        profit,
        why,
        account.position_slippage,
        account.position_borrow,
    )
    account.side = 0.0
    account.exit_reason = account.exit_expires = 0
    account.free_from = account.bar + terms.exits.cooldown


@rule
def charge_borrow(account: Account, price: float, until_ms: int, terms: Terms) -> None:
    """Charge a short position for the time since it was charged last."""
    if account.side < 0.0 and terms.costs.borrow_rate > 0.0:
        lasted_ms = float(until_ms - account.charged_ms)
        owed = interest(terms.costs.borrow_rate, account.units, price, lasted_ms)
        account.cash -= owed
        account.position_borrow += owed


@rule
def value_candle(account: Account, candle: Candle, terms: Terms) -> float:
    """Return the equity on a candle's close; order what a time stop or a lost day closes."""
    value = account.cash
    if account.side != 0.0:
        _extend(account, candle)
        charge_borrow(account, candle.close, candle.ended_ms, terms)
        account.charged_ms = candle.ended_ms
        account.exposed += 1
        value = account.cash + account.side * account.units * candle.close
    account.equity = value
    if value <= 0.0:
        account.ruined = 1
        return value
    held = account.bar - account.entry_bar + 1
    if account.side != 0.0 and held >= terms.exits.time_stop:
        order_market_exit(account, TIME_STOP)
    limit_daily_loss(account, terms)
    return value


@rule
def _extend(account: Account, candle: Candle) -> None:
    """Move the best price seen since the entry, from which a trailing stop is measured."""
    best = candle.high if account.side > 0.0 else candle.low
    if account.came == BY_LIMIT:
        best = candle.close
    if account.side > 0.0:
        account.extreme = max(account.extreme, best)
    else:
        account.extreme = min(account.extreme, best)


@rule
def decide(account: Account, close: float, decision: Decision, terms: Terms) -> None:
    """Take the decision of a close: it is executed from the next candle on."""
    account.stop_level, account.target_level = decision.stop, decision.target
    side = account.order_side
    if side != 0.0 and (decision.exit if side > 0.0 else decision.exit_short):
        account.order_side = 0.0
    longs = terms.longs and decision.enter and not decision.exit
    shorts = terms.shorts and decision.enter_short and not decision.exit_short
    if account.side != 0.0:
        if decision.exit if account.side > 0.0 else decision.exit_short:
            if account.exit_reason == 0:
                order_exit(account, close, decision, terms)
            account.exit_reason = SIGNAL
            # a signal that opens the other side as well reverses
            if (shorts if account.side > 0.0 else longs) and account.locked == 0:
                order_entry(account, -account.side, close, decision, terms)
    elif account.bar >= account.free_from and account.locked == 0:
        wanted = side_ordered(
            decision.enter, decision.exit, decision.enter_short, decision.exit_short, terms
        )
        if wanted != 0.0:
            order_entry(account, wanted, close, decision, terms)
    account.bar += 1


@rule
def order_exit(account: Account, close: float, decision: Decision, terms: Terms) -> None:
    """Give the exit that a close orders its limit, if it has one."""
    level, side = decision.exit_price, account.side
    if math.isnan(level) and terms.exits.limit_offset < NEVER:
        level = close * (1.0 + side * terms.exits.limit_offset)
    if not math.isnan(level):
        account.exit_level = on_tick(level, terms.tick)
        account.exit_expires = account.bar + terms.exits.limit_bars


@rule
def order_entry(
    account: Account, side: float, close: float, decision: Decision, terms: Terms
) -> None:
    """Order an entry that the next candles may fill."""
    account.order_side = side
    account.order_expires = account.bar + terms.valid_bars
    account.order_close = close
    account.order_measure = decision.measure
    account.order_strength = decision.strength

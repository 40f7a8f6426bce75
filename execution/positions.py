"""One position of an account of several instruments: what adds to it, reduces it, closes it."""

from __future__ import annotations

import math

import numpy as np

from execution.account import PortfolioAccount, Position, count_fill
from execution.columns import Columns
from execution.costs import fee_of, interest
from execution.exits import protect
from execution.terms import NEARLY, Int, PortfolioTerms, rule
from execution.trades import DELISTED, SIGNAL, TAKE_PROFIT, is_large, record_trade

FOREVER = 2**62  # no candle has this number
NEGLIGIBLE = 1e-12  # of the equity: an order below it is rounding


@rule
def in_lots(units: float, lot: float, terms: PortfolioTerms) -> float:
    """Return the whole lots in so many units, where a run asks for whole ones."""
    return math.floor(units / lot + NEARLY) * lot if terms.whole_units else units


@rule
def reduce_position(
    account: PortfolioAccount,
    one: Position,
    reference: float,
    volume: float,
    opened_ms: int,
    worth: float,
    terms: PortfolioTerms,
    row: np.void,
) -> bool:
    """Sell what a position has above its share, or all of it; tell if that recorded a trade.

    reference, volume: the open of its candle, before slippage, and the candle's volume
    """
    side = 1.0 if one.units > 0.0 else -1.0
    done = abs(one.units)
    if one.side * side > 0.0:
        aim = one.weight * one.scale * worth
        excess = abs(one.units) * reference - aim
        if not excess > NEGLIGIBLE * abs(worth):
            return False
        if aim > 0.0:
            done = in_lots(excess / reference, one.lot, terms)
            if done * reference <= terms.costs.minimum_fee:  # not worth its fee
                return False
    price = reference * (1.0 - side * terms.costs.slippage)
    take_out(account, one, done, reference, price, volume, opened_ms, terms)
    if one.units != 0.0:
        return False
    record_position(account, one, side, SIGNAL, row)
    one.free_from = one.candles + terms.exits.cooldown
    return True


@rule
def increase_position(
    account: PortfolioAccount,
    one: Position,
    reference: float,
    volume: float,
    opened_ms: int,
    scale: float,
    terms: PortfolioTerms,
) -> None:
    """Buy what a position lacks of its share, as far as the account can pay for it."""
    side = float(one.side)
    price = reference * (1.0 + side * terms.costs.slippage)
    budget = one.budget * scale
    done = budget / (price * (1.0 + terms.costs.fee))
    if terms.costs.minimum_fee > 0.0:
        done = min(done, (budget - terms.costs.minimum_fee) / price)
    done = in_lots(min(done, one.most), one.lot, terms)
    if not done > 0.0:
        account.rejected += one.units == 0.0 and one.budget > 0.0
        return
    account.cash -= charge_borrow(one, reference, float(opened_ms), terms)
    fee = fee_of(done, price, terms.costs.fee, terms.costs.minimum_fee)
    count_fill(account, done, price, fee, is_large(done, volume))
    account.cash -= side * done * price + fee
    if one.units == 0.0:
        begin_position(one, account.step, side, price, float(opened_ms), terms)
    one.units += side * done
    one.bought += done
    one.paid += done * price
    one.slippage += side * done * (price - reference)
    one.fees += fee


@rule
def begin_position(
    one: Position, step: int, side: float, price: float, opened_ms: float, terms: PortfolioTerms
) -> None:
    """Forget the position before, and set the levels that protect the new one."""
    one.bought = one.paid = one.sold = one.received = 0.0
    one.fees = one.slippage = one.borrow = 0.0
    one.opened_step, one.opened_candle = step, one.candles
    protect(one, price, side, 0.0, terms.exits)
    one.charged_ms = opened_ms


@rule
def close_position(
    account: PortfolioAccount,
    one: Position,
    why: int,
    reference: float,
    volume: float,
    at_ms: int,
    terms: PortfolioTerms,
    row: np.void,
) -> None:
    """Close a whole position at a reference price, record its trade, and order nothing more."""
    side = 1.0 if one.units > 0.0 else -1.0
    price = reference
    if why != TAKE_PROFIT:
        price *= 1.0 - side * terms.costs.slippage
    take_out(account, one, abs(one.units), reference, price, volume, at_ms, terms)
    record_position(account, one, side, why, row)
    one.side = one.pending = 0


@rule
def leave_ended(
    account: PortfolioAccount,
    positions: np.ndarray,
    columns: Columns,
    now: int,
    ended_ms: int,
    terms: PortfolioTerms,
    trades: np.ndarray,
    traded: Int,
    row: int,
) -> int:
    """Close at its last close an instrument that has no further candle, and order nothing more.

    ended_ms: when the candle ended; other arguments as in `trade_open`
    """
    if columns.weights.shape[1] < columns.has.shape[1]:  # weights that never change: none ends
        return row
    for at in range(len(positions)):
        one = positions[at]
        if not math.isnan(columns.weights[at, now]):
            continue
        if one.units != 0.0:
            reference, volume = columns.close[at, now], columns.volume[at, now]
            close_position(account, one, DELISTED, reference, volume, ended_ms, terms, trades[row])
            traded[row] = at
            row += 1
        one.side = one.pending = 0
        one.free_from = FOREVER
    return row


@rule
def charge_borrow(one: Position, price: float, until_ms: float, terms: PortfolioTerms) -> float:
    """Charge a short position for the time since it was charged last; return what it costs."""
    if one.units >= 0.0 or terms.costs.borrow_rate == 0.0:
        return 0.0
    owed = interest(terms.costs.borrow_rate, -one.units, price, until_ms - one.charged_ms)
    one.borrow += owed
    one.charged_ms = until_ms
    return owed


@rule
def take_out(
    account: PortfolioAccount,
    one: Position,
    done: float,
    reference: float,
    price: float,
    volume: float,
    opened_ms: int,
    terms: PortfolioTerms,
) -> None:
    """Take units out of a position, for money."""
    side = 1.0 if one.units > 0.0 else -1.0
    account.cash -= charge_borrow(one, reference, float(opened_ms), terms)
    fee = fee_of(done, price, terms.costs.fee, terms.costs.minimum_fee)
    count_fill(account, done, price, fee, is_large(done, volume))
    one.units = side * max(abs(one.units) - done, 0.0)
    one.sold += done
    one.received += done * price
    one.slippage += side * done * (reference - price)
    one.fees += fee
    account.cash += side * done * price - fee


@rule
def record_position(
    account: PortfolioAccount, one: Position, side: float, why: int, row: np.void
) -> None:
    """Record the position that was closed as a trade."""
    earned = side * (one.received - one.paid)
    account.trades += 1
    record_trade(
        row,
        one.opened_step,
        account.step,
        side * one.bought,
        one.paid / one.bought,
        one.received / one.sold,
        one.fees,
        earned - one.fees - one.borrow,
        why,
        one.slippage,
        one.borrow,
    )

"""One step of an account of several instruments: the open, what happens within, and the close.

`positions` is (k,) POSITION throughout. It holds the quotes and decisions of the step, too.
"""

from __future__ import annotations

import math

import numpy as np

from execution.account import PortfolioAccount, Position, count_fill
from execution.costs import fee_of, interest
from execution.exits import AT_OPEN, HELD, nearer_target, protective_exit, tighter_stop
from execution.terms import NEARLY, NEVER, Int, PortfolioTerms, rule
from execution.trades import SIGNAL, TAKE_PROFIT, is_large, record_trade

NEGLIGIBLE = 1e-12  # of the equity: an order below it is rounding


@rule
def trade_open(
    account: PortfolioAccount,
    positions: np.ndarray,
    opened_ms: int,
    due: bool,
    terms: PortfolioTerms,
    trades: np.ndarray,
    traded: Int,
    row: int,
) -> int:
    """Execute at the open what was ordered before; `due` restores all shares.

    trades, traded: TRADES and the instrument of each, written from `row` on; at most two for each
        instrument in a step
    returns: the row after the last one written
    """
    # What opens now is worth its open, the rest its last close.
    some = False
    worth = account.cash
    for at in range(len(positions)):
        one = positions[at]
        if one.has_candle:
            one.price = one.open
        if due and one.side != 0:
            one.pending = 1
        some = some or (one.pending and one.fillable)
        worth += one.units * one.price
    if some:
        # What leaves positions comes first; what adds to them takes from the money that is left.
        for at in range(len(positions)):
            one = positions[at]
            if one.pending and one.fillable and one.units != 0.0:
                row = reduce_position(
                    account, one, at, opened_ms, worth, terms, trades, traded, row
                )
        scale = purchase_scale(account, positions, worth)
        for at in range(len(positions)):
            one = positions[at]
            if one.pending and one.fillable:
                one.pending = 0
                increase_position(account, one, opened_ms, scale, terms)
    return row


@rule
def in_lots(units: float, lot: float, terms: PortfolioTerms) -> float:
    """Return the whole lots in so many units, where a run asks for whole ones."""
    return math.floor(units / lot + NEARLY) * lot if terms.whole_units else units


@rule
def purchase_scale(account: PortfolioAccount, positions: np.ndarray, worth: float) -> float:
    """Set the budget of each purchase; return the part of it that the account can pay."""
    free, needed = account.cash, 0.0
    for at in range(len(positions)):
        one = positions[at]
        if one.units < 0.0:  # what shorts brought in stays bound
            free += 2.0 * one.units * one.price
        one.budget = 0.0
        if one.pending and one.fillable and one.side != 0:
            aim = one.weight * one.scale * worth
            lacking = aim - abs(one.units) * one.price
            if lacking > NEGLIGIBLE * abs(worth):
                one.budget = lacking
                needed += lacking
    return max(free, 0.0) / needed if needed > max(free, 0.0) else 1.0


@rule
def reduce_position(
    account: PortfolioAccount,
    one: Position,
    at: int,
    opened_ms: int,
    worth: float,
    terms: PortfolioTerms,
    trades: np.ndarray,
    traded: Int,
    row: int,
) -> int:
    """Sell what a position has above its share, or all of it; return the next row of trades."""
    side = 1.0 if one.units > 0.0 else -1.0
    done = abs(one.units)
    if one.side * side > 0.0:
        aim = one.weight * one.scale * worth
        excess = abs(one.units) * one.open - aim
        if not excess > NEGLIGIBLE * abs(worth):
            return row
        if aim > 0.0:
            done = in_lots(excess / one.open, one.lot, terms)
            if done * one.open <= terms.minimum_fee:  # not worth its fee
                return row
    price = one.open * (1.0 - side * terms.slippage)
    take_out(account, one, done, one.open, price, opened_ms, terms)
    if one.units == 0.0:
        record_position(account, one, side, SIGNAL, trades[row])
        traded[row] = at
        row += 1
        one.free_from = one.candles + terms.cooldown
    return row


@rule
def increase_position(
    account: PortfolioAccount, one: Position, opened_ms: int, scale: float, terms: PortfolioTerms
) -> None:
    """Buy what a position lacks of its share, as far as the account can pay for it."""
    side, raw = float(one.side), one.open
    price = raw * (1.0 + side * terms.slippage)
    budget = one.budget * scale
    done = budget / (price * (1.0 + terms.fee))
    if terms.minimum_fee > 0.0:
        done = min(done, (budget - terms.minimum_fee) / price)
    done = in_lots(done, one.lot, terms)
    if not done > 0.0:
        account.rejected += one.units == 0.0 and one.budget > 0.0
        return
    account.cash -= charge_borrow(one, raw, float(opened_ms), terms)
    fee = fee_of(done, price, terms.fee, terms.minimum_fee)
    count_fill(account, done, price, fee, is_large(done, one.volume))
    account.cash -= side * done * price + fee
    if one.units == 0.0:
        begin_position(one, account.step, side, price, float(opened_ms), terms)
    one.units += side * done
    one.bought += done
    one.paid += done * price
    one.slippage += side * done * (price - raw)
    one.fees += fee


@rule
def begin_position(
    one: Position, step: int, side: float, price: float, opened_ms: float, terms: PortfolioTerms
) -> None:
    """Forget the position before, and set the levels that protect the new one."""
    one.bought = one.paid = one.sold = one.received = 0.0
    one.fees = one.slippage = one.borrow = 0.0
    one.opened_step, one.opened_candle = step, one.candles
    one.stop = price * (1.0 - side * terms.stop_loss)
    one.target = price * (1.0 + side * terms.take_profit)
    one.extreme = price
    one.charged_ms = opened_ms


@rule
def charge_borrow(one: Position, price: float, until_ms: float, terms: PortfolioTerms) -> float:
    """Charge a short position for the time since it was charged last; return what it costs."""
    if one.units >= 0.0 or terms.borrow_rate == 0.0:
        return 0.0
    owed = interest(terms.borrow_rate, -one.units, price, until_ms - one.charged_ms)
    one.borrow += owed
    one.charged_ms = until_ms
    return owed


@rule
def take_out(
    account: PortfolioAccount,
    one: Position,
    done: float,
    raw: float,
    price: float,
    opened_ms: int,
    terms: PortfolioTerms,
) -> None:
    """Take units out of a position, for money."""
    side = 1.0 if one.units > 0.0 else -1.0
    account.cash -= charge_borrow(one, raw, float(opened_ms), terms)
    fee = fee_of(done, price, terms.fee, terms.minimum_fee)
    count_fill(account, done, price, fee, is_large(done, one.volume))
    one.units = side * max(abs(one.units) - done, 0.0)
    one.sold += done
    one.received += done * price
    one.slippage += side * done * (raw - price)
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


@rule
def trade_within(
    account: PortfolioAccount,
    positions: np.ndarray,
    opened_ms: int,
    terms: PortfolioTerms,
    trades: np.ndarray,
    traded: Int,
    row: int,
) -> int:
    """Close the positions whose stop or target their candle reaches; arguments as `trade_open`."""
    for at in range(len(positions)):
        one = positions[at]
        if one.units == 0.0 or not one.fillable:
            continue
        if one.candles < one.opened_candle + terms.protect_delay:
            continue
        side = 1.0 if one.units > 0.0 else -1.0
        why, raw, both = _protection(one, side, one.opened_step == account.step, terms)
        if why == 0:
            continue
        price = raw if why == TAKE_PROFIT else raw * (1.0 - side * terms.slippage)
        take_out(account, one, abs(one.units), raw, price, opened_ms, terms)
        record_position(account, one, side, why, trades[row])
        traded[row] = at
        row += 1
        account.ambiguous += both
        one.side = one.pending = 0
        one.free_from = one.candles + terms.cooldown
    return row


@rule
def _protection(
    one: Position, side: float, entering: bool, terms: PortfolioTerms
) -> tuple[int, float, bool]:
    """Ask the candle for the levels that stood before it."""
    trail = -side * NEVER
    if terms.trailing_stop < NEVER:
        trail = one.extreme * (1.0 - side * terms.trailing_stop)
    entered = one.open if entering else np.nan
    stop = tighter_stop(one.stop, one.stop_level, side, entered)
    target = nearer_target(one.target, one.target_level, side, entered)
    came = AT_OPEN if entering else HELD
    return protective_exit(one.open, one.high, one.low, one.close, side, stop, trail, target, came)


@rule
def value_step(
    account: PortfolioAccount, positions: np.ndarray, ended_ms: int, terms: PortfolioTerms
) -> float:
    """Return the equity on the closes of a step; an instrument without one keeps its last."""
    value = account.cash
    is_exposed = False
    for at in range(len(positions)):
        one = positions[at]
        if one.has_candle:
            one.price = one.close
            if one.units > 0.0:
                one.extreme = max(one.extreme, one.high)
            elif one.units < 0.0:
                one.extreme = min(one.extreme, one.low)
                owed = charge_borrow(one, one.price, float(ended_ms), terms)
                account.cash -= owed
                value -= owed
        is_exposed = is_exposed or one.units != 0.0
        value += one.units * one.price
    account.equity = value
    account.exposed += is_exposed
    account.ruined = int(value <= 0.0)
    return value


@rule
def decide_step(account: PortfolioAccount, positions: np.ndarray, terms: PortfolioTerms) -> None:
    """Take the decisions of the closes of a step: each is executed at its next open."""
    for at in range(len(positions)):
        one = positions[at]
        one.weight = one.next_weight
        if one.has_candle:
            _decide(one, terms)
    if terms.drift < NEVER:
        _restore_drifted(account, positions, terms)
    account.step += 1


@rule
def _decide(one: Position, terms: PortfolioTerms) -> None:
    wanted = side_after(one, terms)
    if one.side == 0 and one.candles < one.free_from:
        wanted = 0
    if wanted != one.side:
        one.side = wanted
        one.scale = one.strength if wanted != 0 else 1.0
        one.pending = int(wanted != 0 or one.units != 0.0)
    one.stop_level, one.target_level = one.stop_given, one.target_given
    one.candles += 1


@rule
def side_after(one: Position, terms: PortfolioTerms) -> int:
    """Return where an instrument is wanted (+1 long, −1 short, 0 out) after a close's signals."""
    long = terms.longs and one.enter and not one.exit
    short = terms.shorts and one.enter_short and not one.exit_short
    if one.side > 0:
        return 1 if not one.exit else -1 if short else 0
    if one.side < 0:
        return -1 if not one.exit_short else 1 if long else 0
    return int(bool(long)) - int(bool(short))


@rule
def _restore_drifted(
    account: PortfolioAccount, positions: np.ndarray, terms: PortfolioTerms
) -> None:
    """Restore all shares if one has moved too far from its target."""
    moved = False
    for at in range(len(positions)):
        one = positions[at]
        if one.side != 0 and not one.pending:
            aim = one.side * one.weight * one.scale
            share = one.units * one.price / account.equity
            moved = moved or abs(share - aim) > terms.drift
    for at in range(len(positions)):
        if moved and positions[at].side != 0:
            positions[at].pending = 1

"""Take a broker's fills into an account: in part, late, or more than was asked.

The account is the record that backtests use, so that everything that follows from it (its value,
its levels, the size of the next entry) is decided by the same rules. Fills are the broker's; the
rules of `candle_step` never fill such an account.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from execution.account import Account, count_fill, record_type
from execution.candle_step import Candle, Decision, charge_borrow, decide, value_candle
from execution.exits import AT_OPEN, HELD, protect, reached_level, stops_at
from execution.orders import entry_ordered, resting_exit
from execution.risk import begin_day, order_market_exit
from execution.sizing import units_bought
from execution.terms import MARKET, NEARLY, NEVER, Terms, kernel, rule
from execution.trades import SIGNAL, STOP_LOSS, TRAILING_STOP, record_trade


class RoundTrip(Protocol):
    """The fills since the position was opened: units and money, without fees."""

    bought: float
    paid: float
    sold: float
    received: float
    exit_fees: float


ROUND_TRIP = record_type(RoundTrip)


def begin_round_trip() -> np.ndarray:
    """Return a round trip of which nothing is filled, (1,) ROUND_TRIP."""
    return np.zeros(1, ROUND_TRIP)


@kernel
def take_fill(
    state: np.ndarray,
    trips: np.ndarray,
    terms_record: np.ndarray,
    trades: np.ndarray,
    side: float,
    units: float,
    price: float,
    fee: float,
    reference: float,
    at_ms: int,
) -> int:
    """Take one fill into an account, and return how many trades it closed: 0 or 1.

    state, trips: (1,) ACCOUNT and (1,) ROUND_TRIP, written; terms_record: (1,) of the run's terms
    trades: (≥ 1,) TRADES, written where the fill closes the position
    side: +1 bought, -1 sold; units, price: > 0; fee: ≥ 0
    reference: the price that the order hoped for, from which slippage is measured
    at_ms: when it was filled, UTC milliseconds
    What is more than the position opens one of the other side.
    """
    account, trip, terms = state[0], trips[0], terms_record[0]
    if account.side == 0.0 or account.side == side:
        _add(account, trip, side, units, price, fee, reference, at_ms, terms)
        return 0
    done = min(units, account.units)
    part = fee * done / units
    closed = _take_out(account, trip, done, price, part, reference, at_ms, terms, trades[0])
    rest = units - done
    if rest > NEARLY * units:
        _add(account, trip, side, rest, price, fee - part, reference, at_ms, terms)
    return closed


@rule
def _add(
    account: Account,
    trip: RoundTrip,
    side: float,
    units: float,
    price: float,
    fee: float,
    reference: float,
    at_ms: int,
    terms: Terms,
) -> None:
    opens = account.side == 0.0
    if opens:
        trip.bought = trip.paid = trip.sold = trip.received = trip.exit_fees = 0.0
        account.side, account.units, account.entry_bar = side, 0.0, account.bar
        account.entry_fee = account.cost = 0.0
        account.position_slippage = account.position_borrow = 0.0
        account.entered, account.came = price, AT_OPEN
        account.charged_ms = at_ms
    else:
        charge_borrow(account, price, at_ms, terms)
        account.charged_ms = at_ms
    account.units += units
    trip.bought += units
    trip.paid += units * price
    account.entry_fee += fee
    account.cost += side * units * price + fee
    account.cash -= side * units * price + fee
    account.position_slippage += side * units * (price - reference)
    count_fill(account, units, price, fee, False)
    extreme = account.extreme
    protect(account, trip.paid / trip.bought, side, terms.tick, terms.exits)
    if not opens:
        best = account.extreme
        account.extreme = max(extreme, best) if side > 0.0 else min(extreme, best)


@rule
def _take_out(
    account: Account,
    trip: RoundTrip,
    done: float,
    price: float,
    fee: float,
    reference: float,
    at_ms: int,
    terms: Terms,
    row: np.void,
) -> int:
    side = account.side
    charge_borrow(account, price, at_ms, terms)
    account.charged_ms = at_ms
    account.units = max(account.units - done, 0.0)
    trip.sold += done
    trip.received += done * price
    trip.exit_fees += fee
    account.cash += side * done * price - fee
    account.position_slippage += side * done * (reference - price)
    count_fill(account, done, price, fee, False)
    if account.units > NEARLY * trip.bought:
        return 0
    fees = account.entry_fee + trip.exit_fees
    profit = side * (trip.received - trip.paid) - fees - account.position_borrow
    account.slippage += account.position_slippage
    account.borrow += account.position_borrow
    account.trades += 1
    account.winning += profit > 0.0
    account.losing += profit < 0.0
    record_trade(
        row,
        account.entry_bar,
        account.bar,
        side * trip.bought,
        trip.paid / trip.bought,
        trip.received / trip.sold,
        fees,
        profit,
        account.exit_reason if account.exit_reason != 0 else SIGNAL,
        account.position_slippage,
        account.position_borrow,
    )
    account.side = account.units = 0.0
    account.exit_reason = account.exit_expires = 0
    account.free_from = account.bar + terms.exits.cooldown
    return 1


@kernel
def close_candle(
    state: np.ndarray,
    terms_record: np.ndarray,
    opened_ms: int,
    ended_ms: int,
    open_: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    fillable: bool,
) -> float:
    """Take a closed candle into an account that a broker fills; return the equity on its close.

    A stop, a target or a trailing stop that the candle reached orders a market exit, as a time stop
    and a lost day do: a broker's account acts on the close. A resting entry whose candles are over
    is no longer ordered.
    """
    account, terms = state[0], terms_record[0]
    candle = Candle(opened_ms, ended_ms, open_, high, low, close, volume, fillable)
    begin_day(account, opened_ms)
    entering = account.side != 0.0 and account.entry_bar == account.bar
    account.came = AT_OPEN if entering else HELD
    is_protected = account.bar >= account.entry_bar + terms.exits.protect_delay
    if account.side != 0.0 and is_protected:
        why, _, both = reached_level(
            account,
            open_,
            high,
            low,
            close,
            account.side,
            account.came,
            account.entered,
            account.bar - account.entry_bar,
            resting_exit(account),
            terms.tick,
            terms.exits,
        )
        # a limit that an exit signal gave rests with the broker, which fills it
        if why not in (0, SIGNAL):
            account.ambiguous += both
            order_market_exit(account, why)
    if terms.entry_kind != MARKET and account.bar >= account.order_expires:
        account.order_side = 0.0
    return value_candle(account, candle, terms)


@kernel
def order_on_close(
    state: np.ndarray,
    terms_record: np.ndarray,
    close: float,
    enter: bool,
    exit_: bool,
    enter_short: bool,
    exit_short: bool,
    measure: float,
    strength: float,
    stop: float,
    target: float,
    exit_price: float,
) -> None:
    """Take the decision of a close into an account that a broker fills, as `decide` does."""
    decision = Decision(
        enter, exit_, enter_short, exit_short, measure, strength, stop, target, exit_price
    )
    decide(state[0], close, decision, terms_record[0])


@kernel
def entry_on_close(
    state: np.ndarray, terms_record: np.ndarray, close: float, side: float
) -> tuple[float, float]:
    """Return the units of an entry that a flat account orders, and where it rests.

    side: +1 or -1. The units are those that a fill at this close (a market order) or at its level
    would have, and at most what the cash pays for; 0.0 where it must be rejected. The level is NaN
    for a market order.
    """
    account, terms = state[0], terms_record[0]
    units, price, level = entry_ordered(account, account.cash, close, side, terms)
    most = units_bought(account.cash * max(terms.max_exposure, 1.0), price, terms)
    units = min(units, most)
    if terms.lot > 0.0:
        units = math.floor(units / terms.lot + NEARLY) * terms.lot
    return (units if units > 0.0 else 0.0), level


@kernel
def stop_on_close(state: np.ndarray, terms_record: np.ndarray) -> tuple[int, float]:
    """Return why and where the stop of a position lies now, until the next close.

    (0, NaN) while flat, without a stop, and while the exits are delayed.
    """
    account, terms = state[0], terms_record[0]
    if account.side == 0.0 or account.bar < account.entry_bar + terms.exits.protect_delay:
        return 0, np.nan
    side = account.side
    entered = account.entered if account.entry_bar == account.bar else np.nan
    stop, trail = stops_at(account, side, entered, terms.tick, terms.exits)
    is_trailing = side * trail > side * stop
    level = trail if is_trailing else stop
    if not 0.0 < level < NEVER:
        return 0, np.nan
    return TRAILING_STOP if is_trailing else STOP_LOSS, level

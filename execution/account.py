"""The state of an account: everything that the rules remember from one candle to the next.

A state is one record of a structured array, so that compiled rules change it in place, and its
bytes save it. The classes say which fields it has; `float` is stored as float64, `int` and
`bool` as int64.
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol, get_args, get_origin, get_type_hints

import numpy as np

from execution.terms import rule

_KINDS: dict[Any, Any] = {float: np.float64, int: np.int64, bool: np.int64}


class Counts(Protocol):
    """Counters of an account's fills and candles so far.

    exposed: candles whose close found a position; ambiguous: exits whose candle reached both levels
    rejected: entries that the account could not bear; large: fills above LARGE_FILL of the volume
    fees, traded: of all fills, an open position's entry included; in the quote currency
    slippage, borrow: of closed trades
    """

    trades: int
    winning: int
    losing: int
    exposed: int
    ambiguous: int
    rejected: int
    large: int
    ruined: int
    fees: float
    traded: float
    slippage: float
    borrow: float


class Account(Counts, Protocol):
    """The state of an account of one instrument.

    bar: the candle that comes next; equity: on the last close
    day, day_equity, locked: the UTC day, the equity it began with, and whether it lost too much
    side: of the position, +1, −1, or 0.0 while flat; cost: what its entry took from the cash
    came: how the position came to the present candle, see `exits`
    entered: the reference price of its entry, see `costs`
    position_slippage, position_borrow: what the position has lost to either so far
    exit_reason: why an exit is ordered; 0 where none is
    exit_level, exit_expires: of an exit that is a limit order, and the last candle on which it
        rests; after that, and where exit_expires is 0, it is a market order
    order_*: the entry ordered: its side (0.0 for none), the last candle on which it lives, and the
        close, measure and strength that size it
    order_most: the most units that it fills with, infinity where no gate has judged it
    stop_level, target_level: what the strategy gave on the last close; NaN for none
    free_from: the first candle on whose close a flat account may order again
    top, bottom: the range of prices that the position has seen, which only a stepper keeps
    """

    bar: int
    cash: float
    equity: float
    day: int
    day_equity: float
    locked: int
    side: float
    units: float
    entry_bar: int
    entry_price: float
    entry_fee: float
    cost: float
    came: int
    entered: float
    stop: float
    target: float
    extreme: float
    charged_ms: int
    position_slippage: float
    position_borrow: float
    exit_reason: int
    exit_level: float
    exit_expires: int
    order_side: float
    order_expires: int
    order_close: float
    order_measure: float
    order_strength: float
    order_most: float
    stop_level: float
    target_level: float
    free_from: int
    top: float
    bottom: float


class PortfolioAccount(Counts, Protocol):
    """The state of an account that several instruments share.

    step: the step that comes next, a step being a time at which some instrument has a candle
    """

    step: int
    cash: float
    equity: float


class Position(Protocol):
    """The orders and the position of one instrument of an account.

    A position lasts from the fill that opens it to the fill that closes it; what is bought and sold
    in between belongs to it.

    weight: its target as last known
    price: what it is valued at; candles: how many it has had
    side: where its signals want it, +1, −1 or 0; pending: whether its share is to be traded
    scale: the strength with which it was entered; budget: what a purchase may cost, fee included
    most: the most units that a purchase adds, infinity where no gate has judged it
    stop_level, target_level: what the strategy gave on its last close; NaN for none
    entry_price: of the fill that opened it, from which its levels are measured
    opened_step, opened_candle: the step and the candle at which the position was opened
    bought, paid, sold, received: units and money of its fills, without fees
    top, bottom: the range of prices that it has seen, which only a stepper keeps
    """

    weight: float
    lot: float
    price: float
    candles: int
    free_from: int
    side: int
    pending: int
    scale: float
    budget: float
    most: float
    stop_level: float
    target_level: float
    units: float
    entry_price: float
    opened_step: int
    opened_candle: int
    bought: float
    paid: float
    sold: float
    received: float
    fees: float
    slippage: float
    borrow: float
    charged_ms: float
    stop: float
    target: float
    extreme: float
    top: float
    bottom: float


def record_type(state: type) -> np.dtype[Any]:
    """Return the structured type that stores a state's fields, in the order of its class.

    A field that is such a class itself is stored as a record within the record.
    """
    return np.dtype(
        [
            (name, *_stored(kind))
            for name, kind in get_type_hints(state, include_extras=True).items()
        ]
    )


def _stored(kind: Any) -> tuple[Any, ...]:
    if kind in _KINDS:
        return (_KINDS[kind],)
    if get_origin(kind) is Annotated:  # a tuple of so many numbers
        numbers, count = get_args(kind)
        return _KINDS[get_args(numbers)[0]], (count,)
    return (record_type(kind),)


ACCOUNT = record_type(Account)
PORTFOLIO_ACCOUNT = record_type(PortfolioAccount)
POSITION = record_type(Position)


def begin_account(cash: float, bar: int = 0) -> np.ndarray:
    """Return the state of a flat account, (1,) ACCOUNT, whose first candle is number `bar`."""
    state = np.zeros(1, ACCOUNT)
    state["bar"] = state["free_from"] = bar
    state["cash"] = state["equity"] = state["day_equity"] = cash
    state["day"] = -1
    state["order_strength"] = 1.0
    state["order_most"] = np.inf
    state["stop_level"] = state["target_level"] = np.nan
    return state


def begin_portfolio(cash: float, lots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the state of a flat account, (1,) PORTFOLIO_ACCOUNT, and (k,) POSITION.

    lots: (k,) float64, what whole units of each instrument are rounded to
    """
    account, positions = np.zeros(1, PORTFOLIO_ACCOUNT), np.zeros(len(lots), POSITION)
    account["cash"] = account["equity"] = cash
    positions["lot"] = lots
    positions["scale"] = 1.0
    positions["most"] = np.inf
    positions["stop_level"] = positions["target_level"] = np.nan
    return account, positions


@rule
def count_fill(account: Counts, units: float, price: float, fee: float, large: bool) -> None:
    """Add one fill to what an account has traded."""
    account.fees += fee
    account.traded += units * price
    account.large += large

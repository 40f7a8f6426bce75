"""Orders: what is known of each, and which word of a broker moves it on.

An order only moves forward. A word that comes late, twice or out of order changes nothing, except
that a fill counts whenever it comes: what was traded was traded.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from live.plain import left_out

Side = Literal["buy", "sell"]
Leg = Literal["enter", "exit", "stop"]
OrderKind = Literal["market", "limit", "stop"]
NEARLY = 1e-9  # of an order's units: what is left below it is rounding
SMALLEST = 1.001e-9  # units: brokers take nine decimals, and what was below is not ordered
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class OrderState(StrEnum):
    """The state of an order. `unknown`: a request left and no answer came; it must be looked up."""

    INTENDED = "intended"
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    PARTLY_FILLED = "partly_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


ENDED = frozenset(
    {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED}
)
UNANSWERED = frozenset({OrderState.INTENDED, OrderState.SUBMITTED, OrderState.UNKNOWN})
_S = OrderState
# which words move an order on, by the state in which they find it
_MOVES: dict[OrderState, frozenset[OrderState]] = {
    _S.INTENDED: frozenset(set(_S) - {_S.INTENDED}),
    _S.SUBMITTED: frozenset(set(_S) - {_S.INTENDED, _S.SUBMITTED}),
    _S.UNKNOWN: frozenset(set(_S) - {_S.UNKNOWN}),
    _S.ACCEPTED: frozenset({_S.PARTLY_FILLED, *ENDED}),
    _S.PARTLY_FILLED: ENDED,
    _S.FILLED: frozenset(),
    # a fill that came late makes a cancelled order a filled one once nothing of it is left
    _S.CANCELLED: frozenset({_S.FILLED}),
    _S.REJECTED: frozenset({_S.FILLED}),
    _S.EXPIRED: frozenset({_S.FILLED}),
}


@dataclass(frozen=True, slots=True)
class Order:
    """An order and what became of it.

    leg: whether it opens a position, closes it, or rests to protect it
    reason: `entry`, or why it closes a position
    units: > 0; NaN for an entry that is sized when it fills, as plain paper does
    level: of a limit or stop order, NaN for a market order
    candle_ms: the opening of the candle that decided; intended_ms, changed_ms: UTC milliseconds
    filled_units, average_price, fees: of its fills so far; 0.0, NaN and 0.0 without any
    outside: the limit at which it is sent for the hours before and after the session; None for an
        order of the session
    """

    client_order_id: str
    instrument: str
    leg: Leg
    side: Side
    kind: OrderKind
    units: float
    level: float
    reason: str
    candle_ms: int
    intended_ms: int
    state: OrderState = OrderState.INTENDED
    broker_order_id: str = ""
    filled_units: float = 0.0
    average_price: float = math.nan
    fees: float = 0.0
    changed_ms: int = 0
    why: str = ""
    outside: float | None = left_out()

    @property
    def is_open(self) -> bool:
        """Tell whether it may still fill."""
        return self.state not in ENDED

    @property
    def left(self) -> float:
        """Return the units that are still to be filled; NaN where no size is known."""
        return self.units - self.filled_units


def answered(
    order: Order, state: OrderState, at_ms: int, why: str = "", broker_order_id: str = ""
) -> Order:
    """Return an order after a word of its broker; the same object where the word is old."""
    number = broker_order_id or order.broker_order_id
    if state not in _MOVES[order.state]:
        if number != order.broker_order_id:
            return replace(order, broker_order_id=number)
        return order
    return replace(
        order, state=state, broker_order_id=number, changed_ms=at_ms, why=why or order.why
    )


def filled(order: Order, units: float, price: float, fee: float, at_ms: int) -> Order:
    """Return an order after a fill, whichever state the fill finds it in.

    units, price: > 0. Units filled beyond the order count too. A fill ends an order once nothing
    is left of it; until then a cancelled one stays cancelled.
    """
    whole = order.filled_units + units
    before = 0.0 if order.filled_units == 0.0 else order.average_price * order.filled_units
    order = replace(
        order,
        filled_units=whole,
        average_price=(before + units * price) / whole,
        fees=order.fees + fee,
        changed_ms=at_ms,
    )
    rounding = max(order.units * NEARLY, SMALLEST)
    is_whole = whole >= order.units - rounding or math.isnan(order.units)
    return answered(order, OrderState.FILLED if is_whole else OrderState.PARTLY_FILLED, at_ms)


def client_order_id(
    session_id: str, instrument: str, candle_ms: int, leg: Leg, attempt: int
) -> str:
    """Return the id of an order: the same for the same decision, on whichever machine.

    session_id: a UUID as text; at most 48 characters, ASCII letters, digits and hyphens

    >>> client_order_id("0192f0c1-2222-7333-8444-555555555555", "alpaca:BTC/USD", 60_000, "exit", 2)
    '0192f0c12222-btcusdf64b02-1aao-x-2'
    """
    symbol = re.sub("[^a-z0-9]", "", instrument.partition(":")[2].lower())[:12]
    digest = hashlib.sha256(instrument.encode()).hexdigest()[:6]
    which = {"enter": "e", "exit": "x", "stop": "s"}[leg]
    begin = session_id.replace("-", "")[:12]
    return f"{begin}-{symbol}{digest}-{_base36(candle_ms)}-{which}-{attempt}"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"

"""Compare what a session has with what its broker says, and name the rule for each difference.

`ignore`: it is explained, and goes by itself. `stop`: nobody can say which of both is right, and a
person must; the session halts, or does not start. Facts that the broker knows and we lack (a fill,
the end of an order) enter the log before this comparison, so that they no longer differ here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from live.brokers.protocol import BrokerAccount, BrokerFill, BrokerOrder, BrokerPosition
from live.events import Difference
from live.orders import UNANSWERED, Order

NEAR = 1e-6  # of a position: brokers round units to nine digits
SHORT_OF_CASH = 0.01  # of a session's cash: fees that a broker takes later


@dataclass(frozen=True, slots=True)
class Ours:
    """The state of a session. positions: contracts by instrument; fill_ids: by order."""

    instruments: tuple[str, ...]
    orders: Mapping[str, Order]
    fill_ids: Mapping[str, frozenset[str]]
    positions: Mapping[str, float]
    cash: float


@dataclass(frozen=True, slots=True)
class Theirs:
    """The broker's state of a session: open orders, fills, all positions, the account."""

    orders: Mapping[str, BrokerOrder]
    positions: Mapping[str, float]
    account: BrokerAccount
    fills: Sequence[BrokerFill]


def theirs(
    orders: Sequence[BrokerOrder],
    positions: Sequence[BrokerPosition],
    account: BrokerAccount,
    fills: Sequence[BrokerFill],
) -> Theirs:
    """Return a broker's answers side by side. orders, fills: those whose ids are the session's."""
    return Theirs(
        {order.client_order_id: order for order in orders},
        {position.instrument: position.units for position in positions},
        account,
        fills,
    )


def compare(
    ours: Ours, theirs: Theirs, still: Collection[str] = (), others: float = 0.0
) -> tuple[Difference, ...]:
    """Return all differences, each with its rule; none where both agree.

    still: instruments whose positions differed by the same a moment ago: nothing is on its way
    others: cash that sessions started earlier count on in the same account

    >>> account = BrokerAccount("1", "USD", 900.0, 900.0, 900.0, True, False, True)
    >>> held = Ours(("alpaca:AAPL",), {}, {}, {"alpaca:AAPL": 2.0}, 900.0)
    >>> [one.why for one in compare(held, theirs([], [], account, [])) if one.rule == "stop"]
    ['the position is another one at the broker: somebody else trades there, or a fill is lost']
    """
    return (
        *_account(ours, theirs, others),
        *_orders(ours, theirs),
        *_fills(ours, theirs),
        *_positions(ours, theirs, still),
    )


def _account(ours: Ours, theirs: Theirs, others: float) -> list[Difference]:
    account, found = theirs.account, list[Difference]()
    if account.is_blocked:
        why = f"the broker has blocked the account: {account.why or 'it gives no reason'}"
        found.append(Difference("account", "", account.account_id, 0.0, 1.0, "stop", why))
    counted = ours.cash + others
    if account.cash < counted - 1e-9 * (abs(ours.cash) + abs(others)):
        lacks = counted - account.cash
        is_small = lacks <= SHORT_OF_CASH * (abs(ours.cash) + abs(others))
        beside = f", beside {others:,.2f} that sessions started earlier count on" if others else ""
        why = (
            "the broker has a little less cash: fees that it took later"
            if is_small
            else f"the broker has less cash than the session counts on{beside}: fund the account, "
            "or start with less cash"
        )
        rule = "ignore" if is_small else "stop"
        found.append(Difference("cash", "", "", counted, account.cash, rule, why))
    return found


def _orders(ours: Ours, theirs: Theirs) -> list[Difference]:
    found: list[Difference] = []
    for number, order in theirs.orders.items():
        known = ours.orders.get(number)
        if known is None or not known.is_open:
            why = (
                "an order with this session's name is open that it never gave"
                if known is None
                else f"the order is open at the broker, but {known.state} for us"
            )
            mine = 0.0 if known is None else known.units
            found.append(
                Difference("order", order.instrument, number, mine, order.units, "stop", why)
            )
        elif abs(known.units - order.units) > NEAR * known.units:
            why = "the order has other units at the broker"
            found.append(
                Difference("order", order.instrument, number, known.units, order.units, "stop", why)
            )
    for number, order in ours.orders.items():
        if order.is_open and order.state not in UNANSWERED and number not in theirs.orders:
            why = "the order is no longer open at the broker: it is looked up"
            found.append(
                Difference("order", order.instrument, number, order.units, 0.0, "ignore", why)
            )
    return found


def _fills(ours: Ours, theirs: Theirs) -> list[Difference]:
    found: list[Difference] = []
    for fill in theirs.fills:
        if fill.fill_id in ours.fill_ids.get(fill.client_order_id, frozenset()):
            continue
        is_known = fill.client_order_id in ours.orders
        why = (
            "a fill that is not in the account yet"
            if is_known
            else "a fill of an order that this session never gave"
        )
        rule = "ignore" if is_known else "stop"
        found.append(Difference("fill", fill.instrument, fill.fill_id, 0.0, fill.units, rule, why))
    return found


def _positions(ours: Ours, theirs: Theirs, still: Collection[str]) -> list[Difference]:
    """Compare positions. One that fills on their way explain is within what open orders may do."""
    found: list[Difference] = []
    for name in ours.instruments:
        mine, its = ours.positions.get(name, 0.0), theirs.positions.get(name, 0.0)
        near = NEAR * max(abs(mine), abs(its))
        if abs(mine - its) <= near:
            continue
        waiting = [one for one in ours.orders.values() if one.is_open and one.instrument == name]
        most = mine + math.fsum(one.left for one in waiting if one.side == "buy")
        least = mine - math.fsum(one.left for one in waiting if one.side == "sell")
        is_moving = name not in still and least - near <= its <= most + near and bool(waiting)
        rule = "ignore" if is_moving else "stop"
        why = (
            "an order of it is open, a fill of which may be on its way"
            if is_moving
            else "the position is another one at the broker: somebody else trades there, or a fill "
            "is lost"
        )
        found.append(Difference("position", name, "", mine, its, rule, why))
    return found

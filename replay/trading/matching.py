"""Match the open orders of one account as the price moves."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from time import monotonic
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from replay.trading.answers import order_json
from replay.trading.prices import Listed, Prices
from replay.trading.records import Account, Fill, Order, Position

_UNIT = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to an order, as the stream of trade updates tells it.

    told: the order as it was then, and held: the position
    """

    event: str
    order: Order
    at_ms: int
    told: dict[str, Any]
    held: Decimal
    fill: Fill | None = None


def look(
    account: Account, order: Order, listed: Listed, prices: Prices, now_ms: int
) -> list[Happening]:
    """Move an order on to an instant: taken, rejected, filled in part or whole, expired."""
    found: list[Happening] = []
    is_traded = not listed.is_stock or prices.now(listed, now_ms, order.hours) is not None
    if order.status == "pending_new" and order.behaviour.reject:
        order.failed_ms = now_ms
        return [happened(account, order, "rejected", "rejected", now_ms)]
    if order.status in ("pending_new", "accepted") and is_traded:
        found.append(happened(account, order, "new", "new", now_ms))
    elif order.status == "pending_new":
        found.append(happened(account, order, "accepted", "accepted", now_ms))
    if order.expires_ms is not None and now_ms >= order.expires_ms:
        found += _filled(account, order, listed, prices, order.expires_ms - 1)
        if order.is_open:
            order.expired_ms = order.expires_ms
            found.append(happened(account, order, "expired", "expired", order.expires_ms))
        return found
    found += _filled(account, order, listed, prices, now_ms)
    if order.is_open and order.good_for in ("ioc", "fok") and is_traded:
        order.canceled_ms = now_ms
        found.append(happened(account, order, "canceled", "canceled", now_ms))
    return found


def happened(account: Account, order: Order, event: str, status: str, at_ms: int) -> Happening:
    """Give an order a status, and return what is told of it."""
    order.status, order.updated_ms = status, at_ms
    held = account.position(order.symbol).qty
    return Happening(event, order, at_ms, order_json(order), held)


def execute(account: Account, order: Order, qty: Decimal, price: Decimal, at_ms: int) -> Happening:
    """Fill some units of an order at a price."""
    order.filled += qty
    order.paid += qty * price
    signed = qty if order.side == "buy" else -qty
    account.cash -= signed * price
    account.positions[order.symbol] = _moved(account.position(order.symbol), signed, price)
    if not account.positions[order.symbol].qty:
        del account.positions[order.symbol]
    number = str(uuid5(NAMESPACE_URL, f"replay-fill:{order.id}:{order.filled}"))
    left = max(order.left, Decimal(0))
    sums = (order.filled, left, at_ms)
    fill = Fill(number, order.id, order.symbol, order.side, qty, price, *sums)
    account.fills.append(fill)
    order.updated_ms = at_ms
    is_last = left == 0
    if order.status != "canceled":
        order.status = "filled" if is_last else "partially_filled"
    if is_last:
        order.filled_ms = at_ms
    event = "fill" if is_last else "partial_fill"
    held = account.position(order.symbol).qty
    return Happening(event, order, at_ms, order_json(order), held, fill)


def _filled(
    account: Account, order: Order, listed: Listed, prices: Prices, now_ms: int
) -> list[Happening]:
    behaviour = order.behaviour
    if behaviour.hold or behaviour.fill_after_cancel or now_ms < order.next_part_ms:
        return []
    if behaviour.pause_s and order.parts and monotonic() < order.next_part_s:
        return []
    price = _price(order, listed, prices, now_ms)
    if price is None:
        return []
    half = Decimal(repr(behaviour.spread)) / 2
    price = round(price * (1 + (half if order.side == "buy" else -half)), 9).normalize()
    if order.qty is None:
        order.qty = ((order.notional or Decimal(0)) / price).quantize(_UNIT).normalize()
    qty = order.left
    if behaviour.shares:
        if order.parts >= len(behaviour.shares):
            return []
        share = Decimal(repr(behaviour.shares[order.parts]))
        step = _UNIT if not order.is_stock or order.qty % 1 else Decimal(1)
        is_rest = order.parts == len(behaviour.shares) - 1 and _adds_up(behaviour.shares)
        qty = order.left if is_rest else min((order.qty * share).quantize(step), order.left)
        order.parts += 1
        order.next_part_ms = now_ms + int(behaviour.gap_s * 1000)
        order.next_part_s = monotonic() + behaviour.pause_s
        if qty <= 0:
            return []
    return [execute(account, order, qty, price, now_ms)]


def _adds_up(shares: tuple[float, ...]) -> bool:
    return abs(sum(shares) - 1) < 1e-9


def _price(order: Order, listed: Listed, prices: Prices, now_ms: int) -> Decimal | None:
    """Return the price at which an order trades now; None if it does not."""
    price = prices.now(listed, now_ms, order.hours)
    is_first = order.looked_ms == order.created_ms
    looked_ms, order.looked_ms = order.looked_ms, now_ms
    if order.kind == "market":
        return price
    if order.stop is not None and not order.is_triggered:
        reached = price if is_first and price is not None else None
        if reached is None or not _is_beyond(order, reached):
            buys = order.side == "buy"
            reached = prices.reached(listed, order.stop, looked_ms, now_ms, rising=buys)
        order.is_triggered = reached is not None
        is_taken = reached is None or order.limit is None or not _is_worse(order, reached)
        return reached if is_taken else None
    between = prices.extremes(listed, looked_ms, now_ms, order.hours)
    if between is None:
        return None
    low, high = between
    buys = order.side == "buy"
    if order.limit is None:
        return price
    if price is not None and (is_first or order.stop is not None):
        is_better = price <= order.limit if buys else price >= order.limit
        if is_better:
            return price
    is_touched = low <= order.limit if buys else high >= order.limit
    return order.limit if is_touched and order.stop is None else None


def _is_beyond(order: Order, price: Decimal) -> bool:
    """Tell whether a price has reached an order's stop."""
    stop = order.stop or Decimal(0)
    return price >= stop if order.side == "buy" else price <= stop


def _is_worse(order: Order, price: Decimal) -> bool:
    """Tell whether a price is worse than an order's limit."""
    limit = order.limit or Decimal(0)
    return price > limit if order.side == "buy" else price < limit


def _moved(position: Position, signed: Decimal, price: Decimal) -> Position:
    qty = position.qty + signed
    if position.qty * signed >= 0:  # opened or enlarged
        cost = position.qty * position.average + signed * price
        return Position(qty, cost / qty if qty else Decimal(0))
    return Position(qty, price if qty * position.qty < 0 else position.average)

"""The checks that Alpaca makes before it accepts an order."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from replay.trading.answers import buying_power, text
from replay.trading.prices import Listed, Prices
from replay.trading.records import NOTHING, Account, Order
from replay.trading.refusals import Refusal, missing, not_enough, used_id, wrong

_KINDS = ("market", "limit", "stop", "stop_limit")
_OF_STOCKS, _OF_COINS = ("day", "gtc", "ioc", "fok"), ("gtc", "ioc")
_LONGEST_ID = 128


def order_of(
    account: Account, asked: dict[str, Any], prices: Prices, now_ms: int, number: str
) -> tuple[Order, Listed]:
    """Return the order that a request asks for. Raises Refusal, as Alpaca would refuse it."""
    symbol = str(asked.get("symbol") or "")
    listed = prices.listed(symbol)
    if not symbol:
        raise wrong("symbol is required")
    if listed is None:
        raise wrong(f'asset "{symbol}" not found')
    kind, side = str(asked.get("type") or ""), str(asked.get("side") or "")
    good_for = str(asked.get("time_in_force") or "")
    if not prices.is_tradable(symbol):
        raise wrong(f"asset {symbol} is not tradable")
    client_id = str(asked.get("client_order_id") or number)
    if len(client_id) > _LONGEST_ID:
        raise wrong(f"client_order_id must be no more than {_LONGEST_ID} characters")
    if client_id in account.by_client:
        raise used_id()
    if side not in ("buy", "sell"):
        raise wrong("side must be buy or sell")
    if kind not in _KINDS or (not listed.is_stock and kind == "stop"):
        raise wrong(f"invalid order type {kind!r}: mela replay plays {', '.join(_KINDS)}")
    if good_for not in (_OF_STOCKS if listed.is_stock else _OF_COINS):
        words = "invalid time_in_force" if listed.is_stock else "invalid crypto time_in_force"
        raise wrong(words)
    order = Order(
        id=number,
        client_order_id=client_id,
        symbol=symbol,
        is_stock=listed.is_stock,
        side=side,
        kind=kind,
        good_for=good_for,
        qty=_number(asked, "qty"),
        notional=_number(asked, "notional"),
        limit=_number(asked, "limit_price"),
        stop=_number(asked, "stop_price"),
        is_extended=bool(asked.get("extended_hours")),
        created_ms=now_ms,
        updated_ms=now_ms,
        looked_ms=now_ms,
    )
    _check_shape(order)
    return order, listed


def check_means(
    account: Account, order: Order, listed: Listed, prices: Prices, now_ms: int
) -> None:
    """Raise Refusal if the account may not trade, cannot pay, or does not hold what it sells."""
    if account.is_blocked:
        raise Refusal(403, 40310000, "account is restricted to liquidation only")
    price = order.limit or order.stop or prices.last(listed, now_ms)
    if price is None:
        raise wrong(f'asset "{order.symbol}" has no price yet')
    order.estimate = price
    qty = order.qty if order.qty is not None else (order.notional or NOTHING) / price
    held = account.position(order.symbol).qty
    others = [other for other in account.open_orders() if other.symbol == order.symbol]
    closes = held > 0 if order.side == "sell" else held < 0
    if closes:
        reserved = sum((other.left for other in others if other.side == order.side), NOTHING)
        if qty > abs(held) - reserved:
            raise _too_many(order, qty, abs(held), reserved, others)
        return
    if order.side == "sell":
        _check_short(account, order, qty, prices)
    _check_money(account, order, prices, qty * price, now_ms)


def means(account: Account, prices: Prices, now_ms: int) -> tuple[Decimal, Decimal, Decimal]:
    """Return the market values of long and of short positions, and what open orders reserve."""
    long = short = NOTHING
    for symbol, position in account.positions.items():
        listed = prices.listed(symbol)
        price = (listed and prices.last(listed, now_ms)) or position.average
        value = position.qty * price
        long, short = (long + value, short) if value > 0 else (long, short + value)
    held = sum((_reserved(account, order) for order in account.open_orders()), NOTHING)
    return long, short, held


def _reserved(account: Account, order: Order) -> Decimal:
    held = account.position(order.symbol).qty
    opens = held >= 0 if order.side == "buy" else held <= 0
    cost = order.left * order.estimate if order.qty is not None else (order.notional or NOTHING)
    return cost if opens else NOTHING


def _check_shape(order: Order) -> None:
    if (order.qty is None) == (order.notional is None):
        raise wrong("qty or notional is required, and only one of them")
    if (order.qty or order.notional or NOTHING) <= 0:
        raise wrong("qty must be > 0" if order.qty is not None else "notional must be > 0")
    if "limit" in order.kind and (order.limit is None or order.limit <= 0):
        raise wrong("limit orders require a limit price")
    if "stop" in order.kind and (order.stop is None or order.stop <= 0):
        raise wrong("stop orders require a stop price")
    is_fraction = order.notional is not None or (order.qty or NOTHING) % 1 != 0
    if order.is_stock and is_fraction and order.good_for != "day":
        raise wrong("fractional orders must be DAY orders")
    if order.is_extended and order.is_stock:
        if "stop" in order.kind:
            raise wrong("stop orders are not eligible for extended hours trading")
        if order.kind != "limit" or order.good_for not in ("day", "gtc"):
            raise wrong("extended hours order must be DAY or GTC limit orders")
    if order.is_stock and order.limit is not None and _has_half_cents(order.limit):
        raise wrong(
            f"invalid limit_price {text(order.limit)}. sub-penny increment does not fulfill "
            "minimum pricing criteria"
        )


def _has_half_cents(price: Decimal) -> bool:
    step = Decimal("0.01") if price >= 1 else Decimal("0.0001")
    return price % step != 0


def _check_short(account: Account, order: Order, qty: Decimal, prices: Prices) -> None:
    if not order.is_stock:
        coin = order.symbol.partition("/")[0]
        raise not_enough(
            f"insufficient balance for {coin} (requested: {text(qty)}, available: 0)",
            available="0",
            balance="0",
            symbol=coin,
        )
    if qty % 1 != 0:
        raise wrong("fractional orders cannot be sold short")
    if not account.may_short:
        raise not_enough("account is not allowed to short")
    if not prices.is_lent(order.symbol):
        raise wrong(f'asset "{order.symbol}" cannot be sold short')


def _check_money(
    account: Account, order: Order, prices: Prices, cost: Decimal, now_ms: int
) -> None:
    long, short, held = means(account, prices, now_ms)
    if order.is_stock:
        power = buying_power(account, long, short, held)
        if cost > power:
            more = {"buying_power": text(round(power, 2)), "cost_basis": text(round(cost, 2))}
            raise not_enough("insufficient buying power", **more)
        return
    quote = order.symbol.partition("/")[2]
    free = max(NOTHING, account.cash - held)
    if cost > free:
        raise not_enough(
            f"insufficient balance for {quote} (requested: {text(round(cost, 9))}, "
            f"available: {text(round(free, 9))})",
            available=text(round(free, 9)),
            balance=text(account.cash),
            symbol=quote,
        )


def _too_many(
    order: Order, qty: Decimal, held: Decimal, reserved: Decimal, others: list[Order]
) -> Refusal:
    free = text(max(NOTHING, held - reserved))
    return not_enough(
        f"insufficient qty available for order (requested: {text(qty)}, available: {free})",
        available=free,
        existing_qty=text(held),
        held_for_orders=text(reserved),
        related_orders=[other.id for other in others if other.side == order.side],
        symbol=order.symbol,
    )


def _number(asked: dict[str, Any], name: str) -> Decimal | None:
    value = asked.get(name)
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise wrong(f"{name} must be a number") from None
    if not number.is_finite():
        raise wrong(f"{name} must be a number")
    return number


def found(order: Order | None, number: str) -> Order:
    """Return an order that was looked for. Raises Refusal if there is none."""
    if order is None:
        raise missing(f"order not found for {number}")
    return order

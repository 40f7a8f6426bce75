"""Orders as Alpaca takes them: which kinds it has for stocks and for coins, and its prices."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

from live.alpaca_library import (
    LimitOrderRequest,
    MarketOrderRequest,
    OrderSide,
    StopLimitOrderRequest,
    StopOrderRequest,
    TimeInForce,
)
from live.brokers.alpaca_words import quantity, symbol_of
from live.brokers.protocol import OrderRequest
from mela.market_hours import is_open

CALENDAR = "XNYS"  # of Alpaca's stocks
BEYOND = 0.05  # of the price: how far a coin's stop, once reached, follows the market
_CENT, _PART_OF_A_CENT, _DUST = Decimal("0.01"), Decimal("0.0001"), Decimal("0.000000001")


def request_of(order: OrderRequest) -> Any:
    """Return an order as alpaca-py sends it. Raises ValueError for one without its price.

    Alpaca has stop orders for stocks. For coins it has stop_limit alone: its limit lies BEYOND the
    stop, so that it fills as a market order would unless the market leaps. Parts of a share are
    taken for a day. Before and after the session of a stock it takes limits of the day alone.
    """
    symbol = symbol_of(order.instrument)
    is_coin, buys = "/" in symbol, order.side == "buy"
    is_part = not is_coin and order.units % 1.0 != 0.0
    lasts = is_coin or (order.kind == "stop" and not is_part)
    fields: dict[str, Any] = {
        "symbol": symbol,
        "qty": quantity(order.units),
        "side": OrderSide(order.side),
        "time_in_force": TimeInForce(order.good_for or ("gtc" if lasts else "day")),
        "client_order_id": order.client_order_id,
        "extended_hours": order.is_extended_hours or None,
    }
    if order.kind == "market":
        return MarketOrderRequest(**fields)
    if order.kind == "limit":
        limit = _given(order.limit_price, "limit")
        if not is_coin:  # at a whole cent, and never worse than what was asked
            limit = _price(limit, is_coin=False, up=not buys)
        return LimitOrderRequest(**fields, limit_price=limit)
    level = _given(order.stop_price, "stop")
    stop = _price(level, is_coin=is_coin, up=buys)
    if not is_coin:
        return StopOrderRequest(**fields, stop_price=stop)
    limit = _price(level * (1.0 + BEYOND if buys else 1.0 - BEYOND), is_coin=True, up=buys)
    return StopLimitOrderRequest(**fields, stop_price=stop, limit_price=limit)


def in_hours(order: OrderRequest, now_ms: float) -> OrderRequest:
    """Return a market order that may leave outside the session as it leaves now; others as is.

    Between the end of all hours and the next morning it stays a market order, for the session.
    """
    if order.kind != "market" or not order.is_extended_hours:
        return order
    is_outside = (
        "/" not in symbol_of(order.instrument)
        and is_open(CALENDAR, now_ms) == 0.0
        and is_open(CALENDAR, now_ms, "extended") == 1.0
        and order.limit_price is not None
        and math.isfinite(order.limit_price)
    )
    if is_outside:
        return replace(order, kind="limit", good_for="day")
    return replace(order, limit_price=None, is_extended_hours=False)


def _given(price: float | None, kind: str) -> float:
    if price is None or not math.isfinite(price):
        raise ValueError(f"a {kind} order needs a price, but found {price}")
    return price


def _price(price: float, *, is_coin: bool, up: bool) -> float:
    """Return the next price that Alpaca takes, above or below.

    >>> _price(99.994, is_coin=False, up=False), _price(99.994, is_coin=False, up=True)
    (99.99, 100.0)
    """
    step = _DUST if is_coin else _CENT if price >= 1.0 else _PART_OF_A_CENT
    rounding = "ROUND_CEILING" if up else "ROUND_FLOOR"
    return float(Decimal(repr(price)).quantize(step, rounding=rounding))

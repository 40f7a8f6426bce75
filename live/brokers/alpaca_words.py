"""Alpaca's JSON in our words: orders, fills, positions, symbols, instants."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from live.brokers.protocol import BrokerFill, BrokerOrder, BrokerPosition, OrderState
from mela.instrument import parse_name

VENUE = "alpaca"
_QUOTES = ("USDT", "USDC", "USD", "BTC")  # of Alpaca's coins, the longest first
_STATES: dict[str, OrderState] = {
    "filled": "filled",
    "canceled": "cancelled",
    "replaced": "cancelled",
    "expired": "expired",
    "rejected": "rejected",
}
_UNITS = Decimal("0.000000001")  # Alpaca takes nine decimals


def symbol_of(instrument: str) -> str:
    """Return Alpaca's symbol. Raises ValueError for an instrument of another venue."""
    venue, symbol = parse_name(instrument)
    if venue != VENUE:
        raise ValueError(f"expected an instrument of alpaca, but found {instrument}")
    return symbol


def instrument_of(symbol: str, asset_class: str) -> str:
    """Return the instrument of a symbol, which has no stroke where a coin is a position.

    >>> instrument_of("BTCUSD", "crypto"), instrument_of("AAPL", "us_equity")
    ('alpaca:BTC/USD', 'alpaca:AAPL')
    """
    if asset_class == "crypto" and "/" not in symbol:
        for quote in _QUOTES:
            if symbol.endswith(quote) and symbol != quote:
                return f"{VENUE}:{symbol.removesuffix(quote)}/{quote}"
    return f"{VENUE}:{symbol}"


def quantity(units: float) -> str:
    """Return units as Alpaca takes them: nine decimals, rounded down.

    >>> quantity(0.12345678901), quantity(3.0)
    ('0.123456789', '3')
    """
    text = f"{Decimal(repr(units)).quantize(_UNITS, rounding='ROUND_DOWN'):f}"
    return text.rstrip("0").rstrip(".") or "0"


def instant_ms(text: str | None) -> int:
    """Return an RFC 3339 instant in UTC milliseconds; 0 for none."""
    return int(datetime.fromisoformat(text).timestamp() * 1000) if text else 0


def rfc3339(at_ms: int) -> str:
    """Return an instant as Alpaca reads it."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def order_of(found: dict[str, Any], event: str = "") -> BrokerOrder:
    """Return an order. event: what a trade update said of it."""
    filled = float(found.get("filled_qty") or 0.0)
    word = str(found["status"])
    state = _STATES.get(word, "partly_filled" if filled > 0 else "accepted")
    average = found.get("filled_avg_price")
    why = f"Alpaca says {event or word}" if state in ("rejected", "expired", "cancelled") else ""
    return BrokerOrder(
        client_order_id=str(found["client_order_id"]),
        broker_order_id=str(found["id"]),
        instrument=instrument_of(str(found["symbol"]), str(found.get("asset_class") or "")),
        side="buy" if found["side"] == "buy" else "sell",
        units=float(found.get("qty") or 0.0),
        state=state,
        filled_units=filled,
        average_price=float(average) if average else None,
        at_ms=instant_ms(found.get("updated_at") or found.get("created_at")),
        word=word,
        why=why,
    )


def fill_id(broker_order_id: str, cumulative: Any) -> str:
    """Return the id of an execution: its order, and what the order had filled with it.

    The stream and REST name executions differently, but both tell the sum, which only grows.
    """
    text = f"{Decimal(str(cumulative)):f}"
    return f"{broker_order_id}/{text.rstrip('0').rstrip('.') if '.' in text else text}"


def fill_of_update(data: dict[str, Any]) -> BrokerFill | None:
    """Return the execution that a trade update tells; None if it tells none."""
    if data.get("event") not in ("fill", "partial_fill"):
        return None
    order = data["order"]
    about = order_of(order)
    return BrokerFill(
        fill_id=fill_id(about.broker_order_id, order["filled_qty"]),
        client_order_id=about.client_order_id,
        broker_order_id=about.broker_order_id,
        instrument=about.instrument,
        side=about.side,
        units=float(data["qty"]),
        price=float(data["price"]),
        fee=0.0,
        at_ms=instant_ms(data.get("timestamp")),
    )


def fill_of_activity(found: dict[str, Any], client_order_id: str) -> BrokerFill:
    """Return the execution that an account activity tells."""
    symbol = str(found["symbol"])
    return BrokerFill(
        fill_id=fill_id(str(found["order_id"]), found["cum_qty"]),
        client_order_id=client_order_id,
        broker_order_id=str(found["order_id"]),
        instrument=instrument_of(symbol, "crypto" if "/" in symbol else ""),
        side="buy" if str(found["side"]).startswith("buy") else "sell",
        units=float(found["qty"]),
        price=float(found["price"]),
        fee=0.0,
        at_ms=instant_ms(found["transaction_time"]),
    )


def position_of(found: dict[str, Any]) -> BrokerPosition:
    """Return a position. Alpaca signs the quantity of shorts; its side says so too."""
    units = abs(float(found["qty"]))
    return BrokerPosition(
        instrument=instrument_of(str(found["symbol"]), str(found.get("asset_class") or "")),
        units=-units if found.get("side") == "short" else units,
        average_price=float(found["avg_entry_price"]),
        price=float(found.get("current_price") or "nan"),
    )

"""The JSON of Alpaca's trading API: orders, positions, the account, fills, assets, the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from mela.calendars import sessions
from mela.market_hours import next_end_ms
from replay.series import STOCKS
from replay.trading.records import NOTHING, Account, Fill, Order

_NEW_YORK = ZoneInfo("America/New_York")


def text(number: Decimal) -> str:
    """Return a number as Alpaca writes it: all digits, no exponent.

    >>> text(Decimal("1E+2")), text(Decimal("0.50"))
    ('100', '0.5')
    """
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def instant(at_ms: int | None) -> str | None:
    """Return an instant as RFC 3339; None for one that never came."""
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def asset_id(symbol: str) -> str:
    """Return the id of an asset, the same each time."""
    return str(uuid5(NAMESPACE_URL, f"alpaca:{symbol}"))


def order_json(order: Order) -> dict[str, Any]:
    """Return an order."""
    average = text(round(order.paid / order.filled, 9)) if order.filled else None
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": instant(order.created_ms),
        "updated_at": instant(order.updated_ms),
        "submitted_at": instant(order.created_ms),
        "filled_at": instant(order.filled_ms),
        "expired_at": instant(order.expired_ms),
        "canceled_at": instant(order.canceled_ms),
        "failed_at": instant(order.failed_ms),
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": asset_id(order.symbol),
        "symbol": order.symbol,
        "asset_class": "us_equity" if order.is_stock else "crypto",
        "notional": None if order.notional is None else text(order.notional),
        "qty": None if order.qty is None else text(order.qty),
        "filled_qty": text(order.filled),
        "filled_avg_price": average,
        "order_class": "simple" if not order.is_stock else "",
        "order_type": order.kind,
        "type": order.kind,
        "side": order.side,
        "position_intent": None,
        "time_in_force": order.good_for,
        "limit_price": None if order.limit is None else text(order.limit),
        "stop_price": None if order.stop is None else text(order.stop),
        "status": order.status,
        "extended_hours": order.is_extended,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
        "expires_at": instant(order.expires_ms),
    }


def position_json(
    symbol: str, qty: Decimal, average: Decimal, price: Decimal, held: Decimal, *, is_stock: bool
) -> dict[str, Any]:
    """Return a position. Alpaca writes a coin's symbol without its stroke here: BTCUSD."""
    value, cost = qty * price, qty * average
    gain = value - cost
    share = gain / abs(cost) if cost else NOTHING
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol.replace("/", ""),
        "exchange": "NASDAQ" if is_stock else "CRYPTO",
        "asset_class": "us_equity" if is_stock else "crypto",
        "asset_marginable": is_stock,
        "qty": text(qty),
        "avg_entry_price": text(round(average, 9)),
        "side": "long" if qty > 0 else "short",
        "market_value": text(round(value, 9)),
        "cost_basis": text(round(cost, 9)),
        "unrealized_pl": text(round(gain, 9)),
        "unrealized_plpc": text(round(share, 9)),
        "unrealized_intraday_pl": text(round(gain, 9)),
        "unrealized_intraday_plpc": text(round(share, 9)),
        "current_price": text(price),
        "lastday_price": text(price),
        "change_today": "0",
        "qty_available": text(abs(qty) - held if qty > 0 else -(abs(qty) - held)),
    }


def account_json(account: Account, long: Decimal, short: Decimal, held: Decimal) -> dict[str, Any]:
    """Return the account. long, short: market values, short ≤ 0; held: what open orders reserve."""
    equity = account.cash + long + short
    power = buying_power(account, long, short, held)
    plain = max(NOTHING, min(account.cash - held, equity))
    numbers = {
        "cash": account.cash,
        "equity": equity,
        "last_equity": equity,
        "portfolio_value": equity,
        "buying_power": power,
        "regt_buying_power": power,
        "daytrading_buying_power": NOTHING,
        "non_marginable_buying_power": plain,
        "options_buying_power": plain,
        "long_market_value": long,
        "short_market_value": short,
        "initial_margin": (long - short) / 2,
        "maintenance_margin": (long - short) * Decimal("0.3"),
        "last_maintenance_margin": NOTHING,
        "accrued_fees": NOTHING,
        "sma": NOTHING,
        "multiplier": account.multiplier,
    }
    return {
        "id": account.id,
        "account_number": f"PA{account.id[:8].upper()}",
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "pattern_day_trader": False,
        "trading_blocked": account.is_blocked,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "shorting_enabled": account.may_short,
        "daytrade_count": 0,
        "created_at": instant(account.created_ms),
        "balance_asof": str(datetime.fromtimestamp(account.created_ms / 1000, UTC).date()),
        **{name: text(round(value, 9)) for name, value in numbers.items()},
    }


def buying_power(account: Account, long: Decimal, short: Decimal, held: Decimal) -> Decimal:
    """Return what new orders for stocks may cost: equity times the multiplier, less the used."""
    equity = account.cash + long + short
    return max(NOTHING, equity * account.multiplier - long + short - held)


def fill_json(account: Account, fill: Fill) -> dict[str, Any]:
    """Return a fill as an account activity."""
    at = datetime.fromtimestamp(fill.at_ms / 1000, UTC)
    is_last = fill.left == 0
    return {
        "id": f"{at:%Y%m%d%H%M%S}{fill.at_ms % 1000:03d}::{fill.id}",
        "account_id": account.id,
        "activity_type": "FILL",
        "transaction_time": instant(fill.at_ms),
        "type": "fill" if is_last else "partial_fill",
        "price": text(fill.price),
        "qty": text(fill.qty),
        "side": fill.side,
        "symbol": fill.symbol,
        "leaves_qty": text(fill.left),
        "order_id": fill.order_id,
        "cum_qty": text(fill.cumulative),
        "order_status": "filled" if is_last else "partially_filled",
    }


def clock_json(now_ms: int) -> dict[str, Any]:
    """Return the market's clock."""
    known = sessions(STOCKS)
    row = int(known.close_ms.searchsorted(now_ms, side="right"))
    opens, closes = int(known.open_ms[row]), int(known.close_ms[row])
    is_open = opens <= now_ms
    next_open = int(known.open_ms[row + 1]) if is_open else opens
    stamps = {"timestamp": now_ms, "next_open": next_open, "next_close": closes}
    return {"is_open": is_open} | {
        name: datetime.fromtimestamp(ms / 1000, _NEW_YORK).isoformat()
        for name, ms in stamps.items()
    }


def calendar_json(since: date, until: date) -> list[dict[str, Any]]:
    """Return the sessions of a span of dates, both included, by New York's clock."""
    known = sessions(STOCKS)
    found: list[dict[str, Any]] = []
    rows = zip(known.open_ms.tolist(), known.close_ms.tolist(), strict=True)
    for opens, closes in rows:
        ends = next_end_ms(STOCKS, opens, "extended")
        first, last, end = (
            datetime.fromtimestamp(ms / 1000, _NEW_YORK) for ms in (opens, closes, ends)
        )
        if since <= first.date() <= until:
            times = {"open": f"{first:%H:%M}", "close": f"{last:%H:%M}"}
            around = {"session_open": "0400", "session_close": f"{end:%H%M}"}
            found.append({"date": str(first.date()), **times, **around})
    return found

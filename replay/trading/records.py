"""An account of the replayed Alpaca: its cash, orders, positions and fills, and their JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from mela.risk_limits import SessionHours
from replay.trading.behaviours import ORDINARY, Behaviour

OPEN = frozenset({"new", "accepted", "pending_new", "partially_filled", "held", "pending_cancel"})
NOTHING = Decimal(0)


@dataclass(slots=True)
class Order:
    """An order as the server keeps it. Instants are UTC milliseconds; None where it never came."""

    id: str
    client_order_id: str
    symbol: str
    is_stock: bool
    side: str
    kind: str
    good_for: str
    qty: Decimal | None
    notional: Decimal | None
    limit: Decimal | None
    stop: Decimal | None
    is_extended: bool
    created_ms: int
    status: str = "pending_new"
    filled: Decimal = NOTHING
    paid: Decimal = NOTHING  # sum of units times price
    updated_ms: int = 0
    filled_ms: int | None = None
    canceled_ms: int | None = None
    expired_ms: int | None = None
    failed_ms: int | None = None
    expires_ms: int | None = None
    looked_ms: int = 0  # prices up to here were held against its limit and its stop
    is_triggered: bool = False
    estimate: Decimal = NOTHING  # price when it came, for what it reserves
    behaviour: Behaviour = ORDINARY
    parts: int = 0  # shares of its behaviour that were filled
    next_part_ms: int = 0
    next_part_s: float = 0.0  # by this machine's clock

    @property
    def hours(self) -> SessionHours:
        """Return the hours of the market in which it may be filled."""
        return "extended" if self.is_extended else "regular"

    @property
    def is_open(self) -> bool:
        """Tell whether it may still be filled."""
        return self.status in OPEN

    @property
    def left(self) -> Decimal:
        """Return what is not filled yet; nothing for an order by notional."""
        return (self.qty or self.filled) - self.filled


@dataclass(slots=True)
class Position:
    """A position in a symbol: signed units, and their average price."""

    qty: Decimal = NOTHING
    average: Decimal = NOTHING


@dataclass(slots=True)
class Fill:
    """One execution. cumulative: what the order had filled with it."""

    id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    cumulative: Decimal
    left: Decimal
    at_ms: int


@dataclass(slots=True)
class Account:
    """All that one key owns."""

    key: str
    created_ms: int
    cash: Decimal = Decimal(100_000)
    multiplier: Decimal = Decimal(2)
    is_blocked: bool = False
    may_short: bool = True
    per_minute: int | None = None
    orders: dict[str, Order] = field(default_factory=dict[str, Order])
    by_client: dict[str, str] = field(default_factory=dict[str, str])
    positions: dict[str, Position] = field(default_factory=dict[str, Position])
    fills: list[Fill] = field(default_factory=list[Fill])

    @property
    def id(self) -> str:
        """Return the account's id, the same each time for a key."""
        return str(uuid5(NAMESPACE_URL, f"replay-account:{self.key}"))

    def open_orders(self) -> list[Order]:
        """Return the open orders, oldest first."""
        return [order for order in self.orders.values() if order.is_open]

    def position(self, symbol: str) -> Position:
        """Return what is held of a symbol, which may be nothing."""
        return self.positions.get(symbol, Position())


def written(account: Account) -> dict[str, Any]:
    """Return an account as JSON has it."""
    return _plain(asdict(account))


def read(document: dict[str, Any]) -> Account:
    """Return the account that was written."""
    values = dict(document)
    orders = {key: _order(each) for key, each in values.pop("orders").items()}
    positions = {
        symbol: Position(Decimal(each["qty"]), Decimal(each["average"]))
        for symbol, each in values.pop("positions").items()
    }
    fills = [_fill(each) for each in values.pop("fills")]
    for name in ("cash", "multiplier"):
        values[name] = Decimal(values[name])
    return Account(**values, orders=orders, positions=positions, fills=fills)


def _order(document: dict[str, Any]) -> Order:
    values = dict(document)
    for name in ("qty", "notional", "limit", "stop", "filled", "paid", "estimate"):
        values[name] = None if values[name] is None else Decimal(values[name])
    values["behaviour"] = Behaviour(**values["behaviour"])
    values["next_part_s"] = 0.0  # of a clock that may have begun anew
    return Order(**values)


def _fill(document: dict[str, Any]) -> Fill:
    values = dict(document)
    for name in ("qty", "price", "cumulative", "left"):
        values[name] = Decimal(values[name])
    return Fill(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Decimal) else value

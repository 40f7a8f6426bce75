"""The answers of the trading use cases: sessions, positions, orders and refusals.

Instants are in UTC. Amounts of money are in the quote currency, units in the base currency. A value
that is not known, or not a number, is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

State = Literal["starting", "running", "paused", "stopping", "stopped", "failed"]
RiskState = Literal["active", "reducing", "halted"]
Kind = Literal["pause", "resume", "stop", "release", "kill"]
ENDED: frozenset[str] = frozenset({"stopped", "failed"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows of a list, the newest first. next_cursor: None at its end."""

    items: tuple[T, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session, and how it is now.

    broker: `paper`, `paper, hard fills` or `alpaca`
    why, risk_why: the reason of the state, a sentence
    quote: the quote currency; empty where its instruments have several
    cash: what all its accounts began with
    day_profit: equity now, less that at 00:00 UTC
    last_candle_at: when the newest candle that it decided on closed
    heard_at: when its process heard of that candle, by our clock, also of a market that is replayed
    beat_at: when its process was last alive
    version: only rises
    """

    session_id: UUID
    name: str
    owner: str | None
    is_mine: bool
    is_private: bool
    instruments: tuple[str, ...]
    interval: str
    mode: str
    strategy: str
    broker: str
    feed: str
    money: Literal["paper", "live"]
    state: State
    why: str | None
    risk_state: RiskState
    risk_why: str | None
    quote: str
    cash: float
    equity: float | None
    day_profit: float | None
    positions: int
    open_orders: int
    trades: int
    last_candle_at: datetime | None
    heard_at: datetime | None
    beat_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class SessionTold:
    """The changing fields of a session, for the stream of events.

    The last three say who may hear it.
    """

    session_id: UUID
    version: int
    state: State
    why: str | None
    risk_state: RiskState
    risk_why: str | None
    equity: float | None
    day_profit: float | None
    positions: int
    open_orders: int
    trades: int
    last_candle_at: datetime | None
    heard_at: datetime | None
    beat_at: datetime | None
    user_id: int | None
    is_private: bool
    has_ended: bool

    def is_for(self, user_id: int, *, is_admin: bool = False) -> bool:
        """Tell whether a user may hear it. An administrator may, so that somebody can stop it."""
        return not self.is_private or self.user_id == user_id or is_admin


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command that somebody gave to a session.

    answered_at: None until its process has answered.
    """

    command_id: int
    kind: str
    by: str | None
    why: str | None
    asked_at: datetime
    answered_at: datetime | None
    outcome: Literal["done", "refused"] | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the document of a session. field: None for all of it."""

    code: str
    field: str | None
    message: str


@dataclass(frozen=True, slots=True)
class SessionCheck:
    """A fault of a document. name, money, yaml: None where it does not say."""

    is_valid: bool
    faults: tuple[Fault, ...]
    name: str | None
    money: Literal["paper", "live"] | None
    yaml: str | None


@dataclass(frozen=True, slots=True)
class SessionDetail:
    """A session, its document as JSON and as YAML, and the newest commands."""

    row: SessionRow
    document: Mapping[str, Any]
    yaml: str
    commands: tuple[CommandRow, ...]


@dataclass(frozen=True, slots=True)
class PositionRow:
    """The position of a session in an instrument.

    units: negative if short; price: the last close.
    """

    instrument: str
    units: float
    average_price: float
    price: float | None
    value: float | None
    profit: float | None
    entered_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order. average_price: of what is filled; why: what is said of its state."""

    client_order_id: str
    broker_order_id: str | None
    instrument: str
    side: Literal["buy", "sell"]
    leg: str
    kind: str
    units: float
    filled_units: float
    average_price: float | None
    state: str
    why: str | None
    intended_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class FillRow:
    """A fill. units: above 0; fee: an amount of money."""

    fill_id: str
    client_order_id: str
    instrument: str
    side: Literal["buy", "sell"]
    units: float
    price: float
    fee: float
    at: datetime


@dataclass(frozen=True, slots=True)
class TradeRow:
    """A round trip. profit: after fees; reason: of the exit."""

    instrument: str
    direction: Literal["long", "short"]
    entered_at: datetime
    exited_at: datetime
    units: float
    entry_price: float
    exit_price: float
    fees: float
    profit: float
    reason: str


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """The risk engine's ruling on an order. saw: the values that it looked at.

    units: asked for; granted_units: what it let through, 0 if refused
    """

    at: datetime
    instrument: str
    is_allowed: bool
    code: str
    sentence: str
    saw: Mapping[str, Any]
    units: float | None
    granted_units: float | None


@dataclass(frozen=True, slots=True)
class LogRow:
    """An event of the log of a session."""

    seq: int
    at: datetime
    kind: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EquityColumns:
    """The equity of a session, and that of the backtest of the same candles at the same instants.

    t: milliseconds since 1970, UTC; backtest: None where there is none
    backtest_until: how far a backtest has been made; why_no_backtest: why there is none
    """

    t: tuple[int, ...]
    equity: tuple[float, ...]
    cash: tuple[float, ...]
    backtest: tuple[float | None, ...]
    backtest_until: datetime | None
    why_no_backtest: str | None


@dataclass(frozen=True, slots=True)
class DriftLine:
    """A trade that differs from the backtest's. kind: missed, extra or differs."""

    kind: str
    instrument: str
    entered_at: datetime
    what: str
    ours: str | None
    backtest: str | None
    why: str | None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The differences between a session and the backtest of its candles in [start, end).

    profit_difference: ours less the backtest's; bound: the alert comes beyond it
    """

    made_at: datetime
    start: datetime
    end: datetime
    state: Literal["ok", "beyond", "failed"]
    why: str | None
    trades_ours: int
    trades_backtest: int
    missed: int
    extra: int
    differing: int
    profit_difference: float | None
    bound: float | None
    lines: tuple[DriftLine, ...]

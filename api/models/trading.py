"""Trading sessions as the API shows them. `services.trading.answers` says what the fields mean."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from api.models.answers import Answer, Asked, Instant, JsonObject, Milliseconds
from api.models.problem import Fault

SessionStateName = Literal["starting", "running", "paused", "stopping", "stopped", "failed"]
RiskStateName = Literal["active", "reducing", "halted"]
Money = Literal["paper", "live"]
AskedKind = Literal["pause", "resume", "stop", "release"]

EXAMPLE_SESSION: JsonObject = {
    "schema_version": 1,
    "name": "btc on paper",
    "instruments": ["binance:BTCUSDT"],
    "interval": "1m",
    "strategy": {"name": "sma_cross", "params": {"fast": 20, "slow": 100}},
    "cash": 10000,
    "broker": {"kind": "paper"},
}
EXAMPLE_YAML = """\
schema_version: 1
name: btc on paper
instruments: [binance:BTCUSDT]
interval: 1m
strategy: {name: sma_cross, params: {fast: 20, slow: 100}}
cash: 10000
broker: {kind: paper}
"""


class TradingSessionRow(Answer):
    """A trading session, and how it is now."""

    session_id: UUID
    name: str
    owner: str | None
    is_mine: bool
    is_private: bool
    instruments: tuple[str, ...]
    interval: str
    mode: str
    strategy: str
    broker: str = Field(description="paper; paper, hard fills; alpaca")
    feed: str
    money: Money
    state: SessionStateName
    why: str | None = Field(description="the reason of the state")
    risk_state: RiskStateName = Field(description="reducing: only orders that reduce a position")
    risk_why: str | None
    quote: str = Field(description="of cash, equity and profit; empty if it has several")
    cash: float = Field(description="what all its accounts began with")
    equity: float | None
    day_profit: float | None = Field(description="since 00:00 UTC")
    positions: int
    open_orders: int
    trades: int
    last_candle_at: Instant | None = Field(description="when the newest candle closed")
    heard_at: Instant | None = Field(description="when we heard of it, also if it is replayed")
    beat_at: Instant | None = Field(description="when its process was last alive")
    started_at: Instant
    ended_at: Instant | None
    version: int = Field(description="it only rises")


class TradingSessionList(Answer):
    """Sessions, the newest first."""

    items: tuple[TradingSessionRow, ...]
    next_cursor: str | None


class SessionCommand(Answer):
    """A command that somebody gave to a session. outcome: null until its process has answered."""

    command_id: int
    kind: str
    by: str | None
    why: str | None
    asked_at: Instant
    answered_at: Instant | None
    outcome: Literal["done", "refused"] | None
    answer: str | None


class TradingSessionDetail(Answer):
    """A session, its document, and what it was told to do lately."""

    session: TradingSessionRow
    document: JsonObject
    yaml: str
    commands: tuple[SessionCommand, ...] = Field(description="the newest 20, the newest first")


class SessionToStart(Asked):
    """A session to start, as JSON or as YAML: one of both."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"session": EXAMPLE_SESSION}]})

    session: JsonObject | None = Field(default=None, description="docs/live.md has the fields")
    yaml: str | None = Field(default=None, max_length=1_000_000)
    confirm: str | None = Field(
        default=None, max_length=200, description="the session's name again, if it trades money"
    )
    is_private: bool = Field(default=False, description="whether only its owner and admins see it")


class SessionToCheck(Asked):
    """A session to look at, which may be wrong, as JSON or as YAML: one of both."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"yaml": EXAMPLE_YAML}]})

    session: JsonObject | None = None
    yaml: str | None = Field(default=None, max_length=1_000_000)


class SessionValidation(Answer):
    """The faults of a session; nothing is started."""

    is_valid: bool
    faults: tuple[Fault, ...]
    name: str | None
    money: Money | None
    yaml: str | None = Field(description="the session as YAML; null where it is none")


class SessionAsked(Asked):
    """A command for a session. release: trade again after a halt or the kill switch."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "pause"}]})

    kind: AskedKind
    why: str | None = Field(default=None, max_length=500, description="for the log")


class SessionKill(Asked):
    """The kill switch: cancel all orders, make sure of it, and stay halted until a release."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"confirm": "btc on paper", "flatten": True}]}
    )

    confirm: str = Field(max_length=200, description="the session's name, typed again")
    flatten: bool = Field(default=True, description="sell what is held, cover what is short")


class PositionRow(Answer):
    """The position of a session in an instrument.

    units: negative if short; price: the last close.
    """

    instrument: str
    units: float
    average_price: float
    price: float | None
    value: float | None
    profit: float | None
    entered_at: Instant | None


class PositionList(Answer):
    """All that a session holds."""

    items: tuple[PositionRow, ...]


class OrderRow(Answer):
    """An order of a session. average_price: of what is filled."""

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
    intended_at: Instant
    changed_at: Instant


class OrderList(Answer):
    """Orders, the newest first."""

    items: tuple[OrderRow, ...]
    next_cursor: str | None


class FillRow(Answer):
    """A fill. units: above 0; fee: an amount of money."""

    fill_id: str
    client_order_id: str
    instrument: str
    side: Literal["buy", "sell"]
    units: float
    price: float
    fee: float
    at: Instant


class FillList(Answer):
    """Fills, the newest first."""

    items: tuple[FillRow, ...]
    next_cursor: str | None


class SessionTrade(Answer):
    """A round trip. profit: after fees; reason: of the exit."""

    instrument: str
    direction: Literal["long", "short"]
    entered_at: Instant
    exited_at: Instant
    units: float
    entry_price: float
    exit_price: float
    fees: float
    profit: float
    reason: str


class SessionTradeList(Answer):
    """Trades, the newest first."""

    items: tuple[SessionTrade, ...]
    next_cursor: str | None


class VerdictRow(Answer):
    """The risk engine's ruling on an order, and the values that decided.

    granted_units: what it let through; 0 if refused
    """

    at: Instant
    instrument: str
    is_allowed: bool
    code: str
    sentence: str
    saw: JsonObject
    units: float | None
    granted_units: float | None


class VerdictList(Answer):
    """Verdicts, the newest first."""

    items: tuple[VerdictRow, ...]
    next_cursor: str | None


class LogRow(Answer):
    """An event of a session's log."""

    seq: int
    at: Instant
    kind: str
    document: JsonObject


class SessionLog(Answer):
    """Events, the newest first."""

    items: tuple[LogRow, ...]
    next_cursor: str | None


class SessionEquity(Answer):
    """The equity of a session, and that of the backtest of the same candles.

    backtest: null where there is none; backtest_until: how far a backtest has been made
    """

    t: tuple[Milliseconds, ...]
    equity: tuple[float, ...]
    cash: tuple[float, ...]
    backtest: tuple[float | None, ...]
    backtest_until: Instant | None
    why_no_backtest: str | None


class DriftLine(Answer):
    """A trade that differs from the backtest's."""

    kind: str
    instrument: str
    entered_at: Instant
    what: str
    ours: str | None
    backtest: str | None
    why: str | None


class DriftReport(Answer):
    """The differences between a session and the backtest of its candles in [start, end)."""

    made_at: Instant
    start: Instant
    end: Instant
    state: Literal["ok", "beyond", "failed"] = Field(description="beyond: more than the bound")
    why: str | None
    trades_ours: int
    trades_backtest: int
    missed: int
    extra: int
    differing: int
    profit_difference: float | None = Field(description="ours less the backtest's")
    bound: float | None
    lines: tuple[DriftLine, ...]


class SessionDrift(Answer):
    """The newest drift report; null before the first."""

    report: DriftReport | None


class SessionEvent(Answer):
    """The state of a trading session: the data of the event `session`. version: it only rises."""

    session_id: UUID
    version: int
    state: SessionStateName
    why: str | None
    risk_state: RiskStateName
    risk_why: str | None
    equity: float | None
    day_profit: float | None
    positions: int
    open_orders: int
    trades: int
    last_candle_at: Instant | None
    heard_at: Instant | None
    beat_at: Instant | None

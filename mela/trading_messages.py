"""Messages of trading sessions: their orders, fills and positions (docs/contract/messages.md).

Each says its session and the number of the event in the session's log that it tells. A message may
come twice; session_id and seq say which. A value that is not known, or not a number, is null.
"""

from __future__ import annotations

from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from mela.fields import Instant

ORDERS = "mela.orders"
FILLS = "mela.fills"
POSITIONS = "mela.positions"
TRADING = (ORDERS, FILLS, POSITIONS)
Side = Literal["buy", "sell"]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    session_id: UUID
    seq: int = Field(ge=1, description="of the event in the session's log")

    @property
    def key(self) -> str:
        """Return the message key: the session, whose messages keep their order."""
        return str(self.session_id)

    def to_bytes(self) -> bytes:
        """Return the message as Kafka carries it."""
        return self.model_dump_json().encode()

    @classmethod
    def of_bytes(cls, raw: bytes) -> Self:
        """Read a message. Raises pydantic's ValidationError."""
        return cls.model_validate_json(raw)


class OrderTold(_Told):
    """An order as it is after an event. Readers keep the one with the highest seq."""

    client_order_id: str
    broker_order_id: str | None = Field(description="what the broker calls it, once it has it")
    instrument: str
    leg: str = Field(description="enter, exit, or stop, which rests to protect a position")
    side: Side
    kind: str = Field(description="market, limit or stop")
    units: float | None = Field(description="null: sized when it fills")
    level: float | None = Field(description="of a limit or stop order")
    reason: str = Field(description="entry, or why it closes a position")
    state: str
    filled_units: float
    average_price: float | None
    fees: float
    decided_at: Instant = Field(description="when the candle opened on whose close it was decided")
    intended_at: Instant
    changed_at: Instant | None
    why: str | None


class FillTold(_Told):
    """An execution of an order, or of a part of one."""

    fill_id: str
    client_order_id: str
    instrument: str
    side: Side
    units: float = Field(gt=0)
    price: float
    fee: float
    at: Instant


class Holding(BaseModel):
    """A position. units: negative if short."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: str
    units: float
    average_price: float | None
    price: float | None = Field(description="the close of its last candle")
    value: float | None


class PositionsTold(_Told):
    """An account on a close: its equity, its cash and all that it holds."""

    account: int = Field(ge=0, description="its number; 0 where a session has one account")
    opened_at: Instant = Field(description="when the candle opened that closed")
    equity: float | None
    cash: float | None
    positions: tuple[Holding, ...]

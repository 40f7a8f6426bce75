"""Sessions of paper and live trading: their log, and what is derived from it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.schema.tables.base import Base, Hash, Now, one_of

SessionKey = Annotated[UUID, mapped_column(ForeignKey("ops.session.session_id"), primary_key=True)]
SessionId = Annotated[UUID, mapped_column(ForeignKey("ops.session.session_id"))]
UserId = Annotated[int, mapped_column(ForeignKey("ops.user.id"))]
Seq = Annotated[int, mapped_column(BigInteger)]
SeqKey = Annotated[int, mapped_column(BigInteger, primary_key=True, autoincrement=False)]
NameKey = Annotated[str, mapped_column(Hash, primary_key=True)]
No = Annotated[bool, mapped_column(server_default=text("false"))]
Nothing = Annotated[float, mapped_column(server_default=text("0"))]
STATES = ("starting", "running", "paused", "stopping", "stopped", "failed")
RISK_STATES = ("active", "reducing", "halted")
ORDER_STATES = (
    *("intended", "submitted", "accepted", "partly_filled", "filled", "cancelled", "rejected"),
    *("expired", "unknown"),
)
COMMANDS = ("pause", "resume", "stop", "kill", "flatten", "release")


def _ops(comment: str) -> dict[str, str]:
    return {"schema": "ops", "comment": comment}


class Session(Base):
    """A strategy that trades, on paper or with money. Grain: session_id."""

    __tablename__ = "session"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        one_of("mode", "each", "together"),
        one_of("money", "paper", "live"),
        one_of("state", *STATES),
        one_of("risk_state", *RISK_STATES),
        CheckConstraint(
            "(state IN ('stopped', 'failed')) = (stopped_at IS NOT NULL)", name="ended"
        ),
        CheckConstraint("state <> 'failed' OR why IS NOT NULL", name="failed"),
        Index("session_created_at_idx", "created_at", "session_id"),
        Index(
            "session_under_way_idx",
            "session_id",
            postgresql_where=text("state NOT IN ('stopped', 'failed')"),
        ),
        _ops("a strategy that trades, on paper or with money. Grain: session_id"),
    )

    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    user_id: Mapped[UserId]
    is_private: Mapped[No]
    document: Mapped[str]  # as text, so that each number comes back bit for bit
    instruments: Mapped[list[str]]
    interval: Mapped[str]
    mode: Mapped[str]
    strategy: Mapped[str]
    broker: Mapped[str]
    feed: Mapped[str]
    money: Mapped[str]
    cash: Mapped[float]
    state: Mapped[str] = mapped_column(server_default="starting")
    why: Mapped[str | None]
    risk_state: Mapped[str] = mapped_column(server_default="active")
    risk_why: Mapped[str | None]
    created_at: Mapped[Now]
    started_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]


class SessionEvent(Base):
    """A session's log, which is only ever added to. Grain: session_id, seq (from 1)."""

    __tablename__ = "session_event"
    __table_args__ = (
        CheckConstraint("seq > 0", name="seq"),
        _ops("the log of a session, which is only ever added to. Grain: session_id, seq (from 1)"),
    )

    session_id: Mapped[SessionKey]
    seq: Mapped[SeqKey]
    kind: Mapped[str]
    is_input: Mapped[bool] = mapped_column(
        comment="what the world said; what the engine decided on it follows with the next numbers"
    )
    at: Mapped[Now]
    document: Mapped[str]


class SessionSeries(Base):
    """The last message that a session heard about a series.

    Grain: session_id, instrument, interval.
    """

    __tablename__ = "session_series"
    __table_args__ = (
        _ops("what a session last heard of a series. Grain: session_id, instrument, interval"),
    )

    session_id: Mapped[SessionKey]
    instrument: Mapped[str] = mapped_column(primary_key=True)
    interval: Mapped[str] = mapped_column(primary_key=True)
    opened_at: Mapped[datetime | None] = mapped_column(
        comment="the opening of the newest candle that came; null for none"
    )
    absent_at: Mapped[datetime | None] = mapped_column(
        comment="the newest opening of which its market has no candle; null for none"
    )
    heard_at: Mapped[Now] = mapped_column(comment="when the newest candle was stored")


class SessionSnapshot(Base):
    """An engine's state after an event. Grain: session_id, seq."""

    __tablename__ = "session_snapshot"
    __table_args__ = (
        CheckConstraint("seq >= 0", name="seq"),
        _ops(
            "an engine's state after an event, from which a restart goes on. Grain: session_id, seq"
        ),
    )

    session_id: Mapped[SessionKey]
    seq: Mapped[SeqKey]
    state: Mapped[bytes]
    made_at: Mapped[Now]


class SessionSnapshotPart(Base):
    """A part that snapshots of a session share. Grain: session_id, name."""

    __tablename__ = "session_snapshot_part"
    __table_args__ = (
        _ops("what snapshots of a session share: it never changes. Grain: session_id, name"),
    )

    session_id: Mapped[SessionKey]
    name: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[bytes]


class SessionOrder(Base):
    """An order of a session. Grain: session_id, client_order_id."""

    __tablename__ = "session_order"
    __table_args__ = (
        one_of("side", "buy", "sell"),
        one_of("state", *ORDER_STATES),
        Index("session_order_intended_at_idx", "session_id", "intended_at", "client_order_id"),
        Index(
            "session_order_open_idx",
            "session_id",
            postgresql_where=text("state NOT IN ('filled', 'cancelled', 'rejected', 'expired')"),
        ),
        _ops("an order of a session. Grain: session_id, client_order_id"),
    )

    session_id: Mapped[SessionKey]
    client_order_id: Mapped[NameKey]
    broker_order_id: Mapped[str | None]
    instrument: Mapped[str]
    side: Mapped[str]
    leg: Mapped[str]
    kind: Mapped[str]
    reason: Mapped[str]
    level: Mapped[float | None]
    units: Mapped[float | None] = mapped_column(
        comment="null for an entry that is sized when it fills"
    )
    filled_units: Mapped[Nothing]
    average_price: Mapped[float | None]
    fees: Mapped[Nothing]
    candle_at: Mapped[datetime] = mapped_column(comment="the opening of the candle that decided")
    state: Mapped[str]
    why: Mapped[str | None]
    intended_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    seq: Mapped[int] = mapped_column(BigInteger, comment="the event that changed it last")


class SessionFill(Base):
    """An execution of an order, or a part of one. Grain: session_id, fill_id."""

    __tablename__ = "session_fill"
    __table_args__ = (
        one_of("side", "buy", "sell"),
        Index("session_fill_seq_idx", "session_id", "seq"),
        _ops("an execution of an order of a session, or a part of one. Grain: session_id, fill_id"),
    )

    session_id: Mapped[SessionKey]
    fill_id: Mapped[NameKey]
    client_order_id: Mapped[str] = mapped_column(Hash)
    instrument: Mapped[str]
    side: Mapped[str]
    units: Mapped[float]
    price: Mapped[float]
    fee: Mapped[float]
    filled_at: Mapped[datetime]
    seq: Mapped[Seq]


class SessionPosition(Base):
    """A position that a session holds now. Grain: session_id, instrument."""

    __tablename__ = "session_position"
    __table_args__ = (
        _ops("what a session holds now: units below 0 are short. Grain: session_id, instrument"),
    )

    session_id: Mapped[SessionKey]
    instrument: Mapped[str] = mapped_column(primary_key=True)
    units: Mapped[float]
    average_price: Mapped[float | None]
    price: Mapped[float | None]
    value: Mapped[float | None]
    entered_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]


class SessionTrade(Base):
    """A round trip of a session, with the columns of `Trade`. Grain: session_id, seq."""

    __tablename__ = "session_trade"
    __table_args__ = (
        _ops(
            "a round trip of a session, with the columns of ops.trade. "
            "Grain: session_id, seq of its event"
        ),
    )

    session_id: Mapped[SessionKey]
    seq: Mapped[SeqKey]
    instrument: Mapped[str]
    entry_at: Mapped[datetime]
    exit_at: Mapped[datetime]
    size: Mapped[float]
    entry_price: Mapped[float]
    exit_price: Mapped[float]
    fees: Mapped[float]
    profit: Mapped[float]
    exit_reason: Mapped[str]
    slippage: Mapped[float | None]
    borrow: Mapped[float | None]
    mae: Mapped[float | None]
    mfe: Mapped[float | None]


class SessionEquity(Base):
    """A value of an account's equity curve. Grain: session_id, account, opened_at."""

    __tablename__ = "session_equity"
    __table_args__ = (
        _ops(
            "a value of an account's equity curve at the close of a candle. "
            "Grain: session_id, account, opened_at"
        ),
    )

    session_id: Mapped[SessionKey]
    account: Mapped[int] = mapped_column(
        primary_key=True,
        autoincrement=False,
        comment="its place among the instruments, where each has an account of its own; else 0",
    )
    opened_at: Mapped[datetime] = mapped_column(primary_key=True)
    closed_at: Mapped[datetime]
    equity: Mapped[float]
    cash: Mapped[float]


class SessionVerdict(Base):
    """The risk gate's ruling on an order. Grain: session_id, seq."""

    __tablename__ = "session_verdict"
    __table_args__ = (
        Index(
            "session_verdict_refused_idx",
            "session_id",
            "seq",
            postgresql_where=text("NOT is_allowed"),
        ),
        _ops(
            "what the gate of risk said of an order, and what it saw (JSON). Grain: session_id, seq"
        ),
    )

    session_id: Mapped[SessionKey]
    seq: Mapped[SeqKey]
    instrument: Mapped[str]
    candle_at: Mapped[datetime]
    is_allowed: Mapped[bool]
    code: Mapped[str]
    saw: Mapped[str]
    units: Mapped[float | None]
    granted_units: Mapped[float | None]
    took_us: Mapped[float | None]
    at: Mapped[Now]


class SessionCommand(Base):
    """A command to a session, and its outcome. Grain: command_id."""

    __tablename__ = "session_command"
    __table_args__ = (
        one_of("kind", *COMMANDS),
        one_of("outcome", "done", "refused"),
        CheckConstraint(
            "(outcome IS NULL) = (answered_at IS NULL) AND (outcome IS NULL) = (answer IS NULL)",
            name="answer",
        ),
        Index("session_command_session_id_idx", "session_id", "command_id"),
        Index(
            "session_command_waiting_idx",
            "command_id",
            postgresql_where=text("answered_at IS NULL"),
        ),
        _ops("what somebody asked of a session, and what became of it. Grain: command_id"),
    )

    command_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    session_id: Mapped[SessionId]
    kind: Mapped[str]
    user_id: Mapped[UserId]
    why: Mapped[str | None]
    asked_at: Mapped[Now]
    answered_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    answer: Mapped[str | None]


class KillLatch(Base):
    """The kill switch, set until a person releases it. Grain: latch_id."""

    __tablename__ = "kill_latch"
    __table_args__ = (
        CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name="released"),
        Index(
            "kill_latch_set_idx",
            "session_id",
            postgresql_where=text("released_at IS NULL"),
        ),
        _ops(
            "the kill switch: no order leaves while it is set, until a person releases it. "
            "Grain: latch_id"
        ),
    )

    latch_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    session_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("ops.session.session_id"),
        comment="null: all sessions, also those started later",
    )
    is_flattening: Mapped[bool]
    user_id: Mapped[UserId]
    why: Mapped[str | None]
    set_at: Mapped[Now]
    report: Mapped[str | None]
    released_at: Mapped[datetime | None]
    released_by: Mapped[int | None] = mapped_column(ForeignKey("ops.user.id"))

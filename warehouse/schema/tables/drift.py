"""Tables of drift: differences between sessions and the backtests of their candles."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.schema.tables.base import Base, Count, Now, one_of
from warehouse.schema.tables.trading import SessionKey

BASES = ("decided", "stored")
STATES = ("ok", "beyond", "failed")
KINDS = ("missed", "extra", "price", "size", "fee", "timing", "equity")


class SessionDrift(Base):
    """A comparison of a session with a backtest. Grain: session_id, on_day, candles."""

    __tablename__ = "session_drift"
    __table_args__ = (
        one_of("candles", *BASES),
        one_of("state", *STATES),
        CheckConstraint("state <> 'failed' OR why IS NOT NULL", name="failed"),
        CheckConstraint("end_at > start_at", name="span"),
        {
            "schema": "ops",
            "comment": "a comparison of a session, from its start until the end of a day (UTC), "
            "with a backtest of the same candles. Grain: session_id, on_day, candles",
        },
    )

    session_id: Mapped[SessionKey]
    on_day: Mapped[date] = mapped_column(primary_key=True)
    candles: Mapped[str] = mapped_column(
        primary_key=True,
        comment="decided: those that the session decided on; stored: those of the warehouse now",
    )
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    state: Mapped[str]
    why: Mapped[str | None]
    trades: Mapped[Count]
    trades_backtest: Mapped[Count]
    missed: Mapped[Count]
    extra: Mapped[Count]
    differing: Mapped[Count]
    profit: Mapped[float | None]
    profit_backtest: Mapped[float | None]
    equity: Mapped[float | None]
    equity_backtest: Mapped[float | None]
    drift: Mapped[float | None] = mapped_column(
        comment="(equity - equity_backtest) / opening cash of all accounts"
    )
    bound: Mapped[float]
    curve: Mapped[str | None] = mapped_column(
        comment="the equity of the backtest as JSON: account, then [opened_ms, equity]"
    )
    code_version: Mapped[str]
    made_at: Mapped[Now]


class SessionDriftLine(Base):
    """A difference of one trade. Grain: session_id, on_day, candles, line."""

    __tablename__ = "session_drift_line"
    __table_args__ = (
        one_of("kind", *KINDS),
        ForeignKeyConstraint(
            ["session_id", "on_day", "candles"],
            [f"ops.session_drift.{name}" for name in ("session_id", "on_day", "candles")],
            ondelete="CASCADE",
        ),
        {
            "schema": "ops",
            "comment": "a difference of one trade. Grain: session_id, on_day, candles, line",
        },
    )

    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    on_day: Mapped[date] = mapped_column(primary_key=True)
    candles: Mapped[str] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    instrument: Mapped[str]
    entry_at: Mapped[datetime]
    side: Mapped[int]
    what: Mapped[str]
    ours: Mapped[float | None]
    backtest: Mapped[float | None]
    cause: Mapped[str] = mapped_column(comment="a word, `unknown` where nothing explains it")
    why: Mapped[str | None]

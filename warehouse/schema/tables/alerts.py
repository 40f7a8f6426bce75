"""Alerts that wait for their receivers, the headlines that were heard, and signs of life."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.schema.tables.base import Base, Count, Now, one_of
from warehouse.schema.tables.trading import SessionKey

LEVELS = ("info", "warning", "error", "critical")
STATES = ("waiting", "sending", "sent", "dead", "dropped")
_WAITING = text("state = 'waiting'")


def _ops(comment: str) -> dict[str, str]:
    return {"schema": "ops", "comment": comment}


class AlertOutbox(Base):
    """An alert, stored before it is delivered. Grain: id."""

    __tablename__ = "alert_outbox"
    __table_args__ = (
        one_of("level", *LEVELS),
        one_of("state", *STATES),
        CheckConstraint("times > 0", name="times"),
        CheckConstraint("state <> 'sent' OR sent_at IS NOT NULL", name="sent"),
        Index("alert_outbox_waiting_key", "key", unique=True, postgresql_where=_WAITING),
        Index(
            "alert_outbox_due_idx",
            "due_at",
            postgresql_where=text("state IN ('waiting', 'sending')"),
        ),
        Index("alert_outbox_key_idx", "key", "sent_at"),
        Index("alert_outbox_created_at_idx", "created_at"),
        _ops("an alert, stored before it is delivered. Grain: id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(
        comment="the same for the same matter: what waits under it becomes one message"
    )
    level: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("ops.user.id"))
    session_id: Mapped[UUID | None] = mapped_column(ForeignKey("ops.session.session_id"))
    times: Mapped[int] = mapped_column(server_default=text("1"))
    state: Mapped[str] = mapped_column(server_default="waiting")
    created_at: Mapped[Now]
    last_at: Mapped[Now]
    due_at: Mapped[Now]
    attempts: Mapped[Count]
    delivered: Mapped[list[str]] = mapped_column(
        server_default=text("'{}'"), comment="the receivers that have it, each by a hash"
    )
    error: Mapped[str | None]
    sent_at: Mapped[datetime | None]


class AlertReceiver(Base):
    """A receiver that did not take an alert, and until when it is left alone. Grain: receiver."""

    __tablename__ = "alert_receiver"
    __table_args__ = (
        CheckConstraint("failures >= 0", name="failures"),
        _ops("a receiver of alerts that failed, and until when it is left alone. Grain: receiver"),
    )

    receiver: Mapped[str] = mapped_column(primary_key=True, comment="a hash of its address")
    service: Mapped[str]
    failures: Mapped[Count]
    paused_until: Mapped[datetime]
    error: Mapped[str]
    changed_at: Mapped[Now]


class Headline(Base):
    """A headline that was heard while sessions traded. Grain: source, headline_id, updated_at."""

    __tablename__ = "headline"
    __table_args__ = (
        Index("headline_available_at_idx", "available_at"),
        _ops(
            "a headline as it was heard; nobody could act on it before available_at. "
            "Grain: source, headline_id, updated_at"
        ),
    )

    source: Mapped[str] = mapped_column(primary_key=True)
    headline_id: Mapped[str] = mapped_column(primary_key=True)
    updated_at: Mapped[datetime] = mapped_column(primary_key=True)
    published_at: Mapped[datetime]
    received_at: Mapped[datetime]
    available_at: Mapped[datetime] = mapped_column(
        comment="the later of updated_at and received_at"
    )
    headline: Mapped[str]
    url: Mapped[str]
    symbols: Mapped[list[str]]


class LiveBeat(Base):
    """A sign of life of a process that trades, with what it counted. Grain: process."""

    __tablename__ = "live_beat"
    __table_args__ = (
        _ops("a sign of life of a process that trades, with what it counted. Grain: process"),
    )

    process: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime]
    candles: Mapped[int] = mapped_column(BigInteger)
    decisions: Mapped[int] = mapped_column(BigInteger)
    decision_s: Mapped[float]
    waiting: Mapped[int] = mapped_column(comment="events that the process has not applied yet")


class SessionPublished(Base):
    """The position up to which a session's log was sent to Kafka. Grain: session_id."""

    __tablename__ = "session_published"
    __table_args__ = (
        CheckConstraint("seq >= 0", name="seq"),
        _ops("how far the log of a session has been told on Kafka. Grain: session_id"),
    )

    session_id: Mapped[SessionKey]
    seq: Mapped[int] = mapped_column(BigInteger)
    published_at: Mapped[Now]

"""Checks of candles and what they found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.schema.tables.base import Base, InstrumentId, Now, known_interval, one_of

KINDS = ("missing", "spacing", "ohlc", "outlier", "zero_volume", "stale")


SEVERITIES = ("info", "warning", "error")


class QualityCheck(Base):
    """A look at a series' candles. Grain: one check of one series."""

    __tablename__ = "quality_check"
    __table_args__ = (
        UniqueConstraint("id", "instrument_id", "interval"),
        known_interval(),
        CheckConstraint("span_end > span_start", name="span"),
        CheckConstraint("candles >= 0 AND expected >= 0", name="counts"),
        {
            "schema": "ops",
            "comment": "a look at a series' candles. Grain: check of one series",
        },
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    checked_at: Mapped[Now]
    span_start: Mapped[datetime]
    span_end: Mapped[datetime]
    instrument_id: Mapped[InstrumentId]
    interval: Mapped[str]
    candles: Mapped[int] = mapped_column(comment="stored candles that open in the span")
    expected: Mapped[int] = mapped_column(
        comment="candles that the market's calendar has in the span"
    )
    load_batch_id: Mapped[int | None] = mapped_column(
        BigInteger,
        ForeignKey("ops.load_batch.id"),
        comment="the load that it followed, where there was one",
    )


class QualityFinding(Base):
    """A finding about consecutive candles. Grain: series, kind, first_opened_at; one unresolved."""

    __tablename__ = "quality_finding"
    __table_args__ = (
        one_of("kind", *KINDS),
        one_of("severity", *SEVERITIES),
        one_of("state", "open", "repaired", "confirmed"),
        CheckConstraint("last_opened_at >= first_opened_at", name="span"),
        CheckConstraint("candles > 0", name="candles"),
        CheckConstraint("jsonb_typeof(detail) = 'object'", name="detail"),
        CheckConstraint("(state = 'open') = (resolved_at IS NULL)", name="resolved"),
        ForeignKeyConstraint(
            ["quality_check_id", "instrument_id", "interval"],
            [
                "ops.quality_check.id",
                "ops.quality_check.instrument_id",
                "ops.quality_check.interval",
            ],
        ),
        Index(
            "quality_finding_unresolved_idx",
            *("instrument_id", "interval", "kind", "first_opened_at"),
            unique=True,
            postgresql_where=sql("state <> 'repaired'"),
        ),
        {
            "schema": "ops",
            "comment": "what is wrong with candles in a row. Grain: series, kind, first opened_at,"
            " one unresolved at a time",
        },
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    quality_check_id: Mapped[int] = mapped_column(
        BigInteger, comment="the check that found it first"
    )
    instrument_id: Mapped[int] = mapped_column(
        comment="the check's own, repeated for the index that keeps one unresolved finding per key;"
        " the foreign key keeps both equal"
    )
    interval: Mapped[str]
    kind: Mapped[str]
    first_opened_at: Mapped[datetime]
    last_opened_at: Mapped[datetime]
    candles: Mapped[int]
    severity: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    state: Mapped[str] = mapped_column(
        server_default="open",
        comment="open; repaired: a later check no longer finds it; confirmed: the source was asked"
        " again and still says so",
    )
    found_at: Mapped[Now]
    resolved_at: Mapped[datetime | None]

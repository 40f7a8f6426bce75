"""Instruments, candles and the loads that brought them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from mela.instrument import KINDS
from warehouse.schema.tables.base import (
    Base,
    BatchId,
    Count,
    InstrumentId,
    InstrumentKey,
    Key,
    Now,
    known_interval,
    one_of,
)


def candle_laws() -> tuple[CheckConstraint, ...]:
    """Return the checks of a candle's close, prices and volume."""
    return (
        CheckConstraint("closed_at > opened_at", name="closes"),
        CheckConstraint(
            "low > 0 AND low <= least(open, close) AND high >= greatest(open, close)"
            " AND high < 'Infinity'",
            name="prices",
        ),
        CheckConstraint("volume >= 0 AND volume < 'Infinity'", name="volume"),
    )


def fact_laws() -> tuple[CheckConstraint, ...]:
    """Return the checks of what is known of an instrument."""
    return (
        one_of("kind", *KINDS),
        CheckConstraint("delisted_on >= listed_on", name="listing"),
        CheckConstraint("tick > 0 AND lot > 0", name="steps"),
        CheckConstraint("multiplier > 0", name="multiplier"),
    )


class FactColumns:
    """The facts of an instrument, and of each earlier version of them."""

    kind: Mapped[str]
    quote: Mapped[str]
    calendar: Mapped[str]
    tick: Mapped[float | None]
    lot: Mapped[float | None]
    listed_on: Mapped[date | None]
    delisted_on: Mapped[date | None]
    base: Mapped[str | None]
    exchange: Mapped[str | None]
    timezone: Mapped[str | None]
    origins: Mapped[dict[str, Any] | None]
    multiplier: Mapped[float | None]


class Instrument(FactColumns, Base):
    """A tradable thing at one venue, as it is known now. Grain: venue, symbol.

    origins: fact → how it is known (asked, told, packaged, inferred), who said so, and when
        null for what was stored before origins were kept
    known_from: when the newest change of a fact was seen; null where none ever was
    """

    __tablename__ = "instrument"
    __table_args__ = (
        UniqueConstraint("venue", "symbol"),
        *fact_laws(),
        {"schema": "ops", "comment": "a tradable thing at one venue. Grain: venue, symbol"},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    venue: Mapped[str]
    symbol: Mapped[str]
    known_from: Mapped[datetime | None]


class InstrumentVersion(FactColumns, Base):
    """The facts of an instrument before one of them changed. Grain: instrument, known_from."""

    __tablename__ = "instrument_version"
    __table_args__ = (
        *fact_laws(),
        CheckConstraint("known_until > known_from", name="span"),
        {
            "schema": "ops",
            "comment": "what was known of an instrument before a fact changed. "
            "Grain: instrument, known_from",
        },
    )

    instrument_id: Mapped[InstrumentKey]
    known_from: Mapped[datetime] = mapped_column(primary_key=True)
    known_until: Mapped[datetime]


class Watch(Base):
    """A series that the daily ingestion loads. Grain: instrument, interval."""

    __tablename__ = "watch"
    __table_args__ = (
        known_interval(),
        {
            "schema": "ops",
            "comment": "a series that the ingestion keeps up to date. Grain: instrument, interval",
        },
    )

    instrument_id: Mapped[InstrumentKey]
    interval: Mapped[Key]


class LoadBatch(Base):
    """One ingestion: what was asked, who answered, what became of it. Grain: attempt.

    instrument_id is null where the source refused before the instrument was known.
    """

    __tablename__ = "load_batch"
    __table_args__ = (
        known_interval(),
        one_of("origin", "internet", "replay", "file"),
        one_of("status", "running", "succeeded", "failed"),
        CheckConstraint("span_end > span_start", name="span"),
        CheckConstraint(
            "status <> 'succeeded' OR (instrument_id IS NOT NULL AND origin IS NOT NULL)",
            name="succeeded",
        ),
        CheckConstraint("(status = 'failed') = (error IS NOT NULL)", name="error"),
        CheckConstraint(
            "inserted >= 0 AND updated >= 0 AND unchanged >= 0 AND rejected >= 0", name="counts"
        ),
        CheckConstraint("(status = 'running') = (finished_at IS NULL)", name="finished"),
        Index("load_batch_running_idx", "id", postgresql_where=sql("status = 'running'")),
        {
            "schema": "ops",
            "comment": "an attempt to load candles: what was asked, who answered, the outcome",
        },
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    instrument_id: Mapped[InstrumentId | None]
    interval: Mapped[str]
    source: Mapped[str]
    origin: Mapped[str | None]
    request: Mapped[dict[str, Any]]
    span_start: Mapped[datetime]
    span_end: Mapped[datetime]
    code_version: Mapped[str]
    started_at: Mapped[Now]
    finished_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(server_default="running")
    inserted: Mapped[Count]
    updated: Mapped[Count]
    unchanged: Mapped[Count]
    rejected: Mapped[Count]
    error: Mapped[str | None]


class RejectedCandle(Base):
    """A row that a source sent and nobody should store. Grain: load batch, position."""

    __tablename__ = "rejected_candle"
    __table_args__ = (
        CheckConstraint("position >= 0", name="position"),
        {"schema": "ops", "comment": "a row that a source sent and nobody should store"},
    )

    load_batch_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("ops.load_batch.id"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    opened_at: Mapped[datetime]
    row: Mapped[dict[str, Any]]
    sentence: Mapped[str]


class CandleRevision(Base):
    """A load that changed closed candles of a series. Grain: instrument, interval, revision."""

    __tablename__ = "candle_revision"
    __table_args__ = (
        known_interval(),
        one_of("reason", "candles", "corporate_action", "trading_rules"),
        CheckConstraint("revision > 0", name="revision"),
        CheckConstraint("last_opened_at >= first_opened_at", name="span"),
        {"schema": "ops", "comment": "a load that changed a series. Grain: series, revision"},
    )

    instrument_id: Mapped[InstrumentKey]
    interval: Mapped[Key]
    revision: Mapped[int] = mapped_column(primary_key=True)
    load_batch_id: Mapped[BatchId]
    first_opened_at: Mapped[datetime]
    last_opened_at: Mapped[datetime]
    reason: Mapped[str]
    created_at: Mapped[Now]


class CandleColumns:
    """The columns of a candle, and of each earlier version of one."""

    instrument_id: Mapped[int]
    interval: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime]
    session_on: Mapped[date | None]
    open: Mapped[float]
    high: Mapped[float]
    low: Mapped[float]
    close: Mapped[float]
    volume: Mapped[float]
    revision: Mapped[int]  # raised only when a value changed: stored results depend on it
    load_batch_id: Mapped[int] = mapped_column(BigInteger)


class Candle(CandleColumns, Base):
    """A closed candle, prices unadjusted. Grain: instrument, interval, opened_at.

    A trigger checks instrument and load batch once per statement: foreign keys, checked for each
    row, would halve the speed of a load.
    """

    __tablename__ = "candle"
    __table_args__ = (
        PrimaryKeyConstraint("instrument_id", "opened_at", "interval"),
        *candle_laws(),
        {"schema": "raw", "postgresql_partition_by": "LIST (interval)"},
    )  # below a day each interval is divided again, by year: raw.ensure_candle_years makes them


class CandleVersion(CandleColumns, Base):
    """An earlier version of a candle. Grain: instrument, interval, opened_at, known_until.

    A trigger writes it when a candle changes; the version of today stays in raw.candle alone.
    """

    __tablename__ = "candle_version"
    __table_args__ = (
        PrimaryKeyConstraint("instrument_id", "opened_at", "interval", "known_until"),
        known_interval(),
        *candle_laws(),
        CheckConstraint("known_until >= known_from", name="known"),
        {"schema": "raw"},
    )

    known_from: Mapped[datetime]
    known_until: Mapped[datetime]


class CorporateAction(Base):
    """A split or a dividend, before the session of effective_on opens. Grain: kind and day."""

    __tablename__ = "corporate_action"
    __table_args__ = (
        one_of("kind", "split", "dividend"),
        CheckConstraint("value > 0 AND value < 'Infinity'", name="value"),
        {"schema": "raw"},
    )

    instrument_id: Mapped[InstrumentKey]
    kind: Mapped[Key]
    effective_on: Mapped[date] = mapped_column(primary_key=True)
    value: Mapped[float]
    load_batch_id: Mapped[BatchId]

"""Runs, their results, trades and equity."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from mela.curve import EXIT_REASONS
from mela.metrics import TYPES
from mela.result import Status
from mela.verdict import Verdict
from warehouse.schema.tables.base import Base, Hash, InstrumentId, Key, known_interval, one_of


class Run(Base):
    """The question of a run. Grain: run_key. `settings`: cash, costs, sizing and the rest."""

    __tablename__ = "run"
    __table_args__ = (
        known_interval(),
        CheckConstraint("length(run_key) = 64", name="run_key"),
        CheckConstraint("end_at > start_at", name="span"),
        Index("run_family_idx", "instrument_id", "strategy", "start_at", "end_at"),
        {"schema": "ops", "comment": "what was asked. Grain: run_key"},
    )

    run_key: Mapped[Key]
    instrument_id: Mapped[InstrumentId]
    interval: Mapped[str]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    strategy: Mapped[str]
    params: Mapped[dict[str, Any]]
    settings: Mapped[dict[str, Any]]


class RunInstrument(Base):
    """A further instrument of a run whose instruments share one account. Grain: run_key, place.

    The first one stands in the run itself; place counts from 1.
    """

    __tablename__ = "run_instrument"
    __table_args__ = (
        CheckConstraint("place > 0", name="place"),
        {"schema": "ops", "comment": "a further instrument of a run of one account for several"},
    )

    run_key: Mapped[str] = mapped_column(Hash, ForeignKey("ops.run.run_key"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    instrument_id: Mapped[InstrumentId]


class RunInput(Base):
    """A further candle series that a run's strategy reads. Grain: run_key, place.

    Places go on where those of the run's instruments end, as the revisions of its results do.
    """

    __tablename__ = "run_input"
    __table_args__ = (
        known_interval(),
        CheckConstraint("place > 0", name="place"),
        {"schema": "ops", "comment": "a further candle series that a run's strategy reads"},
    )

    run_key: Mapped[str] = mapped_column(Hash, ForeignKey("ops.run.run_key"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    instrument_id: Mapped[InstrumentId]
    interval: Mapped[str]


class Result(Base):
    """The answer to a run: its status, its circumstances and its metrics. Grain: result_key."""

    __tablename__ = "result"
    __table_args__ = (
        UniqueConstraint("run_key", "result_key"),
        CheckConstraint("length(result_key) = 64", name="result_key"),
        one_of("status", *Status),
        CheckConstraint("(error_class IS NULL) = (error_sentence IS NULL)", name="error"),
        CheckConstraint("(error_file IS NULL) = (error_line IS NULL)", name="error_place"),
        CheckConstraint("octet_length(blocks) = 384", name="blocks"),
        CheckConstraint("candles >= 0 AND warmup_missing >= 0", name="counts"),
        CheckConstraint("octet_length(seal) = 32", name="seal"),
        Index(
            "result_without_metrics_idx",
            "result_key",
            postgresql_where=sql("status NOT IN ('succeeded', 'ruined')"),
        ),
        Index(
            "result_not_succeeded_idx",
            "result_key",
            postgresql_include=["status"],
            postgresql_where=sql("status <> 'succeeded'"),
        ),
        {"schema": "ops", "comment": "what answered. Grain: result_key"},
    )

    result_key: Mapped[Key]
    run_key: Mapped[str] = mapped_column(Hash, ForeignKey("ops.run.run_key"))
    status: Mapped[str]
    strategy_digest: Mapped[str]
    engine_version: Mapped[str]
    metrics_version: Mapped[str]
    candles_revision: Mapped[int | None]
    revisions: Mapped[list[int] | None]  # of each series, where the account has several
    computed_at: Mapped[datetime]
    candles: Mapped[int]
    first_candle_at: Mapped[datetime | None]
    last_candle_at: Mapped[datetime | None]
    depends_from: Mapped[datetime | None]
    warmup_missing: Mapped[int]
    periods_per_year: Mapped[float | None]
    warnings: Mapped[list[str]]
    error_class: Mapped[str | None]
    error_sentence: Mapped[str | None]
    error_file: Mapped[str | None]  # of the strategy's code, where it is known
    error_line: Mapped[int | None]
    # returns in 16 blocks of the span: sums, sums of squares, numbers; big-endian doubles
    blocks: Mapped[bytes | None]
    seal: Mapped[bytes | None]  # SHA-256 of the others, migration 0023; null: see ResultSeal


for _metric, _type in TYPES:  # a column for each metric, as `migrate` makes it
    setattr(Result, _metric, mapped_column(Integer if _type is int else Double))


ResultKey = Annotated[
    str, mapped_column(Hash, ForeignKey("ops.result.result_key"), primary_key=True)
]


class ResultSeal(Base):
    """The SHA-256 of a result that was stored without a seal of its own. Grain: result_key.

    A trigger writes it. Older results have theirs here.
    """

    __tablename__ = "result_seal"
    __table_args__ = (
        CheckConstraint("octet_length(seal) = 32", name="seal"),
        {
            "schema": "ops",
            "comment": "the SHA-256 of a result as it was stored. Grain: result_key",
        },
    )

    result_key: Mapped[str] = mapped_column(
        Hash, ForeignKey("ops.result.result_key", ondelete="CASCADE"), primary_key=True
    )
    seal: Mapped[bytes]


class StrategyCheck(Base):
    """The verdict of a lookahead check on a strategy. Grain: strategy_digest.

    coverage: of each series that was checked, as `mela check --json` prints it
    """

    __tablename__ = "strategy_check"
    __table_args__ = (
        one_of("lookahead", *Verdict),
        {
            "schema": "ops",
            "comment": "whether a strategy looks ahead, as a check found. Grain: strategy_digest",
        },
    )

    strategy_digest: Mapped[str] = mapped_column(Hash, primary_key=True)
    strategy: Mapped[str]
    lookahead: Mapped[str]
    coverage: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    checked_at: Mapped[datetime]


class ChunkMark(Base):
    """A chunk of runs that a worker executes, or died over. Grain: chunk.

    chunk: topic, partition and offset of its message
    """

    __tablename__ = "chunk_mark"
    __table_args__ = (
        {
            "schema": "ops",
            "comment": "a chunk of runs that a worker executes, or died over. Grain: chunk",
        },
    )

    chunk: Mapped[str] = mapped_column(Hash, primary_key=True)
    made_at: Mapped[datetime]


class Trade(Base):
    """A round trip of a result whose curve is stored. Grain: result_key, seq (from 0).

    size: negative for a short; slippage, borrow: null before engine version 2; mae, mfe: before 3
    """

    __tablename__ = "trade"
    __table_args__ = (
        one_of("exit_reason", *EXIT_REASONS),
        CheckConstraint("seq >= 0", name="seq"),
        CheckConstraint("exit_at >= entry_at", name="span"),
        {"schema": "ops", "comment": "a round trip of a result whose curve is stored"},
    )

    result_key: Mapped[ResultKey]
    seq: Mapped[int] = mapped_column(primary_key=True)
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
    instrument_id: Mapped[InstrumentId | None]  # null where the run has only one
    mae: Mapped[float | None]
    mfe: Mapped[float | None]


class Equity(Base):
    """A value of an equity curve, at the close of a candle. Grain: result_key, opened_at."""

    __tablename__ = "equity"
    __table_args__ = (
        {
            "schema": "ops",
            "comment": "a value of a stored equity curve. Grain: result_key, opened_at",
        },
    )

    result_key: Mapped[ResultKey]
    opened_at: Mapped[datetime] = mapped_column(primary_key=True)
    equity: Mapped[float]


class EquityPacked(Base):
    """A long equity curve once more, in one piece. Grain: result_key.

    It goes with the rows of `Equity` that it repeats: triggers see to that.
    """

    __tablename__ = "equity_packed"
    __table_args__ = (
        {
            "schema": "ops",
            "comment": "a long equity curve of ops.equity once more, in one piece, to be read fast."
            " Grain: result_key",
        },
    )

    result_key: Mapped[str] = mapped_column(
        Hash, ForeignKey("ops.result.result_key", ondelete="CASCADE"), primary_key=True
    )
    opened: Mapped[bytes] = mapped_column(
        comment="zlib: the first opening in UTC milliseconds, then the differences, as"
        " little-endian int8"
    )
    equity: Mapped[bytes] = mapped_column(comment="little-endian float8")

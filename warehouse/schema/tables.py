"""The tables of raw and ops as SQLAlchemy sees them; `migrations/` makes them. dbt makes marts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from mela.curve import EXIT_REASONS
from mela.interval import Interval
from mela.metrics import TYPES
from mela.result import Status

KINDS = ("missing", "spacing", "ohlc", "outlier", "zero_volume", "stale")
SEVERITIES = ("info", "warning", "error")
NAMES = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}


class Base(DeclarativeBase):
    """Times with a zone, doubles (vendors' digits exactly, numpy's own width), jsonb."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own declaration
        str: Text,
        float: Double,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
        list[int]: ARRAY(Integer),
    }


def one_of(column: str, *words: str, name: str | None = None) -> CheckConstraint:
    """Return a check that a column holds one of some words."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=name or column)


def known_interval() -> CheckConstraint:
    """Return a check that `interval` is one of ours."""
    return one_of("interval", *Interval)


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


Now = Annotated[datetime, mapped_column(server_default=func.now())]
Count = Annotated[int, mapped_column(server_default=sql("0"))]
InstrumentId = Annotated[int, mapped_column(ForeignKey("ops.instrument.id"))]
BatchId = Annotated[int, mapped_column(BigInteger, ForeignKey("ops.load_batch.id"))]
InstrumentKey = Annotated[int, mapped_column(ForeignKey("ops.instrument.id"), primary_key=True)]
Hash = Text(collation="C")  # compared byte by byte: twice as fast as by a language's rules
Key = Annotated[str, mapped_column(Hash, primary_key=True)]


class Instrument(Base):
    """A tradable thing at one venue. Grain: venue, symbol."""

    __tablename__ = "instrument"
    __table_args__ = (
        UniqueConstraint("venue", "symbol"),
        one_of("kind", "spot", "perp", "equity", "fx"),
        CheckConstraint("delisted_on >= listed_on", name="listing"),
        CheckConstraint("tick > 0 AND lot > 0", name="steps"),
        {"schema": "ops", "comment": "a tradable thing at one venue. Grain: venue, symbol"},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    venue: Mapped[str]
    symbol: Mapped[str]
    kind: Mapped[str]
    quote: Mapped[str]
    calendar: Mapped[str]
    tick: Mapped[float | None]
    lot: Mapped[float | None]
    listed_on: Mapped[date | None]
    delisted_on: Mapped[date | None]


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
        one_of("origin", "internet", "replay"),
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


class Candle(Base):
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


class CandleVersion(Base):
    """What a vendor said of a candle before. Grain: instrument, interval, opened_at, known_until.

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
    revision: Mapped[int]
    load_batch_id: Mapped[int] = mapped_column(BigInteger)
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


class Scene(Base):
    """A publication. Grain: scene_id. A rejected one may have no readable content."""

    __tablename__ = "scene"
    __table_args__ = (
        one_of("status", "received", "planned", "finished", "rejected", "cancelled"),
        CheckConstraint("(status = 'rejected') = (rejection_code IS NOT NULL)", name="rejection"),
        CheckConstraint(
            "status = 'rejected' OR (content IS NOT NULL AND content_hash IS NOT NULL)",
            name="content",
        ),
        CheckConstraint("status <> 'planned' OR planned_at IS NOT NULL", name="planned"),
        CheckConstraint("status <> 'finished' OR finished_at IS NOT NULL", name="finished"),
        CheckConstraint("(status = 'cancelled') = (cancelled_at IS NOT NULL)", name="cancelled"),
        CheckConstraint("runs >= 0 AND skipped >= 0 AND cached >= 0", name="counts"),
        CheckConstraint("rerun_of <> scene_id", name="rerun_of"),
        CheckConstraint(
            '(partition IS NULL) = ("offset" IS NULL)'
            " AND (\"offset\" IS NOT NULL OR status IN ('received', 'cancelled'))",
            name="read",
        ),
        Index("scene_rerun_of_idx", "rerun_of", postgresql_where=sql("rerun_of IS NOT NULL")),
        {"schema": "ops", "comment": "a publication. Grain: scene_id"},
    )

    scene_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    content: Mapped[dict[str, Any] | None]
    content_hash: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="received")
    runs: Mapped[Count]
    skipped: Mapped[Count]
    cached: Mapped[Count]
    topic: Mapped[str]
    partition: Mapped[int | None]
    offset: Mapped[int | None] = mapped_column(
        BigInteger, comment="null until the planner has read an announced scene from Kafka"
    )
    received_at: Mapped[Now]
    planned_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    rejection_code: Mapped[str | None]
    rejection_field: Mapped[str | None]
    rejection_sentence: Mapped[str | None]
    mlflow_run_id: Mapped[str | None]
    best: Mapped[dict[str, Any] | None]
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("ops.user.id"), comment="who published it; null where nobody said"
    )
    rerun_of: Mapped[UUID | None] = mapped_column(
        ForeignKey("ops.scene.scene_id"),
        comment="the scene whose stale results this one computes again",
    )


class Holdout(Base):
    """An opening of the candles that a search did not see. Grain: scene_id.

    run_key: of the winner, chosen before them; opened_by: whom the database knew
    """

    __tablename__ = "holdout"
    __table_args__ = (
        CheckConstraint("end_at > start_at", name="span"),
        known_interval(),
        UniqueConstraint("scene_id"),
        {
            "schema": "ops",
            "comment": "an opening of candles that a search did not see. Grain: scene_id",
        },
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    scene_id: Mapped[UUID] = mapped_column(ForeignKey("ops.scene.scene_id"))
    instruments: Mapped[list[str]]
    interval: Mapped[str]
    strategies: Mapped[list[str]]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    run_key: Mapped[str] = mapped_column(Hash, ForeignKey("ops.run.run_key"))
    opened_at: Mapped[Now]
    opened_by: Mapped[str] = mapped_column(server_default=func.current_user())


class Run(Base):
    """What was asked. Grain: run_key. `settings`: cash, costs, sizing and the rest."""

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
    """What answered: a run's status, its circumstances and its metrics. Grain: result_key."""

    __tablename__ = "result"
    __table_args__ = (
        UniqueConstraint("run_key", "result_key"),
        CheckConstraint("length(result_key) = 64", name="result_key"),
        one_of("status", *Status),
        CheckConstraint("(error_class IS NULL) = (error_sentence IS NULL)", name="error"),
        CheckConstraint("octet_length(blocks) = 384", name="blocks"),
        CheckConstraint("candles >= 0 AND warmup_missing >= 0", name="counts"),
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
    # returns in 16 blocks of the span: sums, sums of squares, numbers; big-endian doubles
    blocks: Mapped[bytes | None]


for _metric, _type in TYPES:  # a column for each metric, as `migrate` makes it
    setattr(Result, _metric, mapped_column(Integer if _type is int else Double))


class SceneRun(Base):
    """The answer that a scene got for a run; the first one stays. Grain: scene_id, run_key."""

    __tablename__ = "scene_run"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_key", "result_key"], ["ops.result.run_key", "ops.result.result_key"]
        ),
        {
            "schema": "ops",
            "comment": "the answer that a scene got for a run. Grain: scene_id, run_key",
        },
    )

    scene_id: Mapped[UUID] = mapped_column(ForeignKey("ops.scene.scene_id"), primary_key=True)
    run_key: Mapped[Key]
    result_key: Mapped[str] = mapped_column(Hash)
    cached: Mapped[bool]


ResultKey = Annotated[
    str, mapped_column(Hash, ForeignKey("ops.result.result_key"), primary_key=True)
]


class Trade(Base):
    """A round trip of a result whose curve is stored. Grain: result_key, seq (from 0).

    size: negative for a short; slippage, borrow: null before engine version 2
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


class User(Base):
    """Somebody who publishes scenes. Grain: name."""

    __tablename__ = "user"
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint("length(name) BETWEEN 1 AND 100 AND name = btrim(name)", name="name"),
        one_of("role", "admin", "member", "viewer"),
        {"schema": "ops", "comment": "somebody who publishes scenes. Grain: name"},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    role: Mapped[str] = mapped_column(server_default="member")
    created_at: Mapped[Now]


class SceneSchedule(Base):
    """A scene that is published again whenever it is due. Grain: name."""

    __tablename__ = "scene_schedule"
    __table_args__ = (
        UniqueConstraint("name"),
        known_interval(),
        CheckConstraint("span ~ '^[1-9][0-9]{0,3}(d|w|mo|y)$'", name="span"),
        CheckConstraint(
            "every = 'complete' OR array_length(regexp_split_to_array(every, ' +'), 1) = 5",
            name="every",
        ),
        CheckConstraint(
            "jsonb_typeof(content) = 'object' AND NOT content ?|"
            " ARRAY['scene_id', 'instruments', 'interval', 'start', 'end']",
            name="content",
        ),
        CheckConstraint(
            "(last_scene_id IS NULL) = (last_covered_until IS NULL)",
            name="last",
        ),
        {
            "schema": "ops",
            "comment": "a scene that is published again whenever it is due. Grain: name",
        },
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(
        comment="the scene without id, instruments, interval and span"
    )
    interval: Mapped[str]
    span: Mapped[str] = mapped_column(
        comment="how far back a scene reaches from its end: 90d, 8w, 6mo, 2y"
    )
    every: Mapped[str] = mapped_column(
        server_default="complete",
        comment="complete (each new candle), or a cron expression in UTC",
    )
    user_id: Mapped[int | None] = mapped_column(ForeignKey("ops.user.id"))
    active: Mapped[bool] = mapped_column(server_default=sql("true"))
    last_scene_id: Mapped[UUID | None] = mapped_column(ForeignKey("ops.scene.scene_id"))
    last_covered_until: Mapped[datetime | None] = mapped_column(
        comment="the end of the scene published last"
    )
    created_at: Mapped[Now]


class SceneScheduleInstrument(Base):
    """An instrument of a scene schedule, in the scene's order. Grain: schedule, place."""

    __tablename__ = "scene_schedule_instrument"
    __table_args__ = (
        UniqueConstraint("schedule_id", "instrument_id"),
        CheckConstraint("place >= 0", name="place"),
        {
            "schema": "ops",
            "comment": "an instrument of a scene schedule, in its order",
        },
    )

    schedule_id: Mapped[int] = mapped_column(
        ForeignKey("ops.scene_schedule.id", ondelete="CASCADE"), primary_key=True
    )
    place: Mapped[int] = mapped_column(primary_key=True)
    instrument_id: Mapped[InstrumentId]


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
    """What is wrong with candles in a row. Grain: series, kind, first_opened_at; one unresolved."""

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

"""Candles: which there are, what is wrong with them, and how more are asked for."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from api.models.answers import Answer, Asked, AskedInstant, Instant, JsonObject
from api.models.runs import CandleColumns
from mela.execution_terms import Prices
from mela.interval import Interval


class InstrumentRow(Answer):
    """An instrument that was loaded once. intervals: of its stored series."""

    name: str
    venue: str
    symbol: str
    kind: str
    quote: str
    base: str | None
    calendar: str
    tick: float | None
    lot: float | None
    listed_on: date | None
    delisted_on: date | None
    intervals: tuple[str, ...]


class InstrumentList(Answer):
    """Instruments by name. is_cut: there are more than were asked for."""

    items: tuple[InstrumentRow, ...]
    is_cut: bool


class SeriesRow(Answer):
    """A stored series: its first and last candle opened at these instants."""

    instrument: str
    interval: str
    first_opened_at: Instant
    last_opened_at: Instant
    is_watched: bool
    findings: int = Field(description="of quality, unresolved")
    gaps: int = Field(description="of those: missing candles")


class SeriesList(Answer):
    """All stored series."""

    items: tuple[SeriesRow, ...]


class StoredCandles(Answer):
    """Candles of [start, end) as runs read them, none left out. next_start: null at the end."""

    instrument: str
    interval: str
    prices: Prices
    candles: CandleColumns
    next_start: Instant | None


class DayCovered(Answer):
    """A day in UTC. stored may be above expected where the calendar was inferred."""

    day: date
    stored: int
    expected: int


class Gap(Answer):
    """Candles that the calendar expects and that are not stored: [start, end)."""

    start: Instant
    end: Instant
    candles: int


class CoverageOfSeries(Answer):
    """The days of a series. Only days are listed on which a candle is expected or stored."""

    instrument: str
    interval: str
    calendar: str
    first_opened_at: Instant | None
    last_opened_at: Instant | None
    start: Instant
    end: Instant
    stored: int
    expected: int
    days: tuple[DayCovered, ...]
    gaps: tuple[Gap, ...] = Field(description="up to 500, the longest first")


class FindingRow(Answer):
    """Something wrong with candles in a row."""

    id: int
    instrument: str
    interval: str
    kind: str
    severity: Literal["info", "warning", "error"]
    state: Literal["open", "repaired", "confirmed"]
    first_opened_at: Instant
    last_opened_at: Instant
    candles: int
    message: str
    detail: JsonObject
    found_at: Instant
    resolved_at: Instant | None


class CheckRow(Answer):
    """The last look at a series."""

    instrument: str
    interval: str
    checked_at: Instant
    start: Instant
    end: Instant
    candles: int
    expected: int


class QualityAnswer(Answer):
    """The state of the stored candles. is_cut: more findings than were asked for."""

    checks: tuple[CheckRow, ...]
    findings: tuple[FindingRow, ...]
    is_cut: bool


class StaleRow(Answer):
    """A result that no longer holds, and why."""

    run_key: str
    result_key: str
    instrument: str
    interval: str
    strategy: str
    start: Instant
    end: Instant
    computed_at: Instant
    reasons: tuple[str, ...]


class StaleSceneRow(Answer):
    """A scene that answers with stale results. can_rerun: it has ended, its strategy is there."""

    scene_id: UUID
    name: str | None
    owner: str | None
    received_at: Instant
    strategies: tuple[str, ...] = Field(description="of its stale results")
    instruments: tuple[str, ...] = Field(description="of its stale results")
    results: int
    can_rerun: bool


class StaleAnswer(Answer):
    """Stored results that no longer hold. results: up to 1,000 of total."""

    total: int
    results: tuple[StaleRow, ...]
    scenes: tuple[StaleSceneRow, ...]


class WatchedSeries(Asked):
    """A series on the watch list."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"instrument": "binance:BTCUSDT", "interval": "1h"}]}
    )

    instrument: str = Field(max_length=200)
    interval: Interval


class WatchList(Asked):
    """The series that the daily ingestion keeps up to date."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [{"instrument": "binance:BTCUSDT", "interval": "1h"}]}]
        }
    )

    items: tuple[WatchedSeries, ...] = Field(max_length=1_000)


class WatchListAnswer(Answer):
    """The watch list. defaults: what is loaded while it is empty."""

    items: tuple[WatchedSeries, ...]
    defaults: tuple[WatchedSeries, ...]


class BackfillAsked(Asked):
    """Candles to load: [start, end) of some series."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "series": [{"instrument": "binance:BTCUSDT", "interval": "1h"}],
                    "start": "2023-01-01T00:00:00Z",
                    "end": "2023-02-01T00:00:00Z",
                }
            ]
        }
    )

    series: tuple[WatchedSeries, ...] = Field(min_length=1, max_length=100)
    start: AskedInstant
    end: AskedInstant
    force: bool = Field(default=False, description="load again what was loaded before")


class Backfill(Answer):
    """A backfill, as Airflow knows it."""

    backfill_id: str
    state: str = Field(description="queued, running, success or failed")
    series: tuple[str, ...]
    start: str | None
    end: str | None
    queued_at: Instant | None
    started_at: Instant | None
    finished_at: Instant | None
    tasks: dict[str, int] = Field(description="how many of its tasks are in which state")


class BackfillList(Answer):
    """The newest backfills."""

    items: tuple[Backfill, ...]


class ScheduleAsked(Asked):
    """A scene that comes again over a span before the end of its newest candles."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "btc daily",
                    "scene": {
                        "instruments": ["binance:BTCUSDT"],
                        "interval": "1h",
                        "start": "2023-01-01",
                        "end": "2024-01-01",
                        "strategy": {"name": "sma_cross"},
                    },
                    "span": "90d",
                    "every": "complete",
                }
            ]
        }
    )

    name: str = Field(min_length=1, max_length=100)
    scene: JsonObject = Field(description="its own id, start and end are not used")
    span: str = Field(max_length=10, examples=["90d", "8w", "6mo", "2y"])
    every: str = Field(default="complete", max_length=100, description="`complete`, or cron in UTC")
    is_private: bool | None = Field(
        default=None,
        description="whether only its owner and administrators see it, and only its owner its "
        "scenes; left out: where its owner keeps a scene private that asks for the same",
    )


class ScheduleChange(Asked):
    """Pause a schedule or let it go on, hide or share it; what is null stays as it is.

    is_private: of the schedule and of the scenes that it publishes from now on
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_active": False}]})

    is_active: bool | None = None
    is_private: bool | None = None


class ScheduleRow(Answer):
    """A schedule. waits_for: why it is not due; null: it is.

    is_private: only its owner and administrators see it, and only its owner its scenes
    """

    name: str
    instruments: tuple[str, ...]
    interval: str
    strategy: str
    span: str
    every: str
    owner: str | None
    is_mine: bool
    is_active: bool
    is_private: bool
    last_covered_until: Instant | None
    last_scene_id: UUID | None
    waits_for: str | None
    scene: JsonObject


class ScheduleList(Answer):
    """All schedules by name."""

    items: tuple[ScheduleRow, ...]


class QueryNow(Answer):
    """A streaming query. waiting: messages; null while Kafka does not answer."""

    name: str
    topic: str
    is_well: bool
    message: str
    read: int
    waiting: int | None
    batches: int


class JobNow(Answer):
    """The streaming job. is_ready: every query runs and none fails."""

    is_ready: bool
    message: str
    at: Instant | None
    queries: tuple[QueryNow, ...]
    scenes_by_state: dict[str, int]

"""The four streaming queries: what each reads, how much at once, and what it does with a batch."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from mela.messages import CHUNK_RESULTS, PROGRESS, RUNS, SCENES, MessagePosition
from mela.settings import Settings
from messaging.connection import spark_options
from messaging.publisher import publisher_of
from services.monitoring.query_progress import checkpoint
from streaming import conclude, daemon, plan, tasks
from streaming.conclude import ProgressMessage
from streaming.large_scenes import LargeScenes
from streaming.learning import Learning
from streaming.plan import SceneMessage
from streaming.poison import contained, is_away
from streaming.record import send_progress
from streaming.turns import Turns
from streaming.workers import in_workers

log = structlog.get_logger()
SCENES_AT_ONCE, PROGRESS_AT_ONCE = 256, 1000
GATHER = "300 milliseconds"  # fewer, larger batches where nobody waits for an answer
SETTLE = "1 second"  # each look at mela.progress costs what twenty runs cost, and most find nothing
FETCH_WAIT_MS = 10
PLAN_LINGER_MS = 5  # the first chunks of a large scene: nobody computes before they are there
COLUMNS = ("value", "topic", "partition", "offset")
TIMED = (*COLUMNS, "timestamp")


@dataclass(frozen=True, slots=True)
class Query:
    """One streaming query: what it reads, how much at once, and what it does with a batch."""

    name: str
    topic: str
    max_offsets: int
    every: str
    handle: Callable[[DataFrame, int], None]
    columns: tuple[str, ...] = COLUMNS

    def start(self, spark: SparkSession, settings: Settings) -> StreamingQuery:
        """Start the query at its checkpoint, or at the beginning of its topic."""
        stream = (
            spark.readStream.format("kafka")
            .options(**spark_options(settings.kafka))
            .option("subscribe", self.topic)
            .option("startingOffsets", "earliest")
            .option("failOnDataLoss", "true")
            .option("maxOffsetsPerTrigger", self.max_offsets)
            # The connector asks for the end of the topic behind a fetch that waits there for more:
            # Kafka's own half a second would be part of every batch.
            .option("kafka.fetch.max.wait.ms", FETCH_WAIT_MS)
            .load()
            .select(*self.columns)
        )
        spark.sparkContext.setLocalProperty("spark.scheduler.pool", self.name)
        return (
            stream.writeStream.queryName(self.name)
            .option("checkpointLocation", str(checkpoint(settings.home, self.name)))
            .trigger(processingTime=self.every)
            .foreachBatch(self.handle)
            .start()
        )


def queries(settings: Settings, large: LargeScenes, learning: Learning) -> list[Query]:
    """Return the four queries of the job path.

    large: plans what `plan` hands over; learning: asks for the runs of searches that learn
    """
    chunks = settings.spark.max_chunks_per_trigger
    turns = Turns()
    planned = partial(_plan, settings, large, turns)
    run = partial(_run, settings, large, learning, turns)
    record = partial(_record, settings, learning)
    ended = partial(_conclude, settings, learning, turns)
    return [
        Query("plan", SCENES, SCENES_AT_ONCE, "0 seconds", planned, TIMED),
        Query("run", RUNS, chunks, "0 seconds", run),
        Query("record", CHUNK_RESULTS, chunks, GATHER, record),
        Query("conclude", PROGRESS, PROGRESS_AT_ONCE, SETTLE, ended),
    ]


def _plan(settings: Settings, large: LargeScenes, turns: Turns, batch: DataFrame, _: int) -> None:
    publisher = publisher_of(settings, linger_ms=PLAN_LINGER_MS, owner="plan")
    rows = sorted(batch.collect(), key=_source)
    turns.took("plan", len(rows), SCENES_AT_ONCE)
    messages = [
        SceneMessage(_bytes(row.value), _source(row), _instant(row.timestamp)) for row in rows
    ]
    try:
        plan.plan_scenes(messages, settings, publisher, large.hand_over)
    except Exception as error:
        if is_away(error):
            raise
        log.warning("scenes_are_planned_one_by_one", why=str(error)[:500])
    else:
        return
    for message in messages:
        contained(
            "scene",
            partial(plan.plan_scenes, [message], settings, publisher, large.hand_over),
            partial(plan.give_up, message, settings, publisher),
            source=message.source.key,
        )


def _run(
    settings: Settings,
    large: LargeScenes,
    learning: Learning,
    turns: Turns,
    batch: DataFrame,
    _: int,
) -> None:
    work = partial(tasks.execute, settings=settings.for_strategies())
    executed: Counter[str] = Counter()
    for row in in_workers(daemon.RUN, _packed(batch), work, tasks.EXECUTED).collect():
        executed[row.scene_id] += row.chunks
    turns.took("run", executed.total(), settings.spark.max_chunks_per_trigger)
    large.ahead.executed(executed)
    learning.executed(executed)


def _record(settings: Settings, learning: Learning, batch: DataFrame, _: int) -> None:
    work = partial(tasks.store, settings=settings)
    rows = in_workers(daemon.RECORD, _packed(batch), work, tasks.RECORDED).collect()
    publisher = publisher_of(settings, owner="record")
    recorded = {row.scene_id for row in rows}
    send_progress(recorded, settings, publisher)
    learning.recorded(recorded)


def _conclude(
    settings: Settings, learning: Learning, turns: Turns, batch: DataFrame, _: int
) -> None:
    publisher = publisher_of(settings, owner="conclude")
    messages = [ProgressMessage(_bytes(row.value), _source(row)) for row in batch.collect()]
    found = conclude.recorded_scenes(messages)
    for message, why in found.refused:
        conclude.refuse(message, why, publisher)
    publisher.flush()
    learning.wake(found.under_way)
    for scene_id, message in found.scenes.items():
        began = time.monotonic()
        contained(
            "scene",
            partial(conclude.conclude_recorded, scene_id, message, settings, publisher),
            partial(conclude.give_up, scene_id, settings, publisher),
            scene_id=scene_id,
        )
        turns.give_way(time.monotonic() - began)


def _packed(batch: DataFrame) -> DataFrame:
    """Give each core a task, not each partition of the topic: a task has a price of its own.

    Half of Spark's slots are for `run`, half for `record`, so that neither waits for the other.
    """
    slots = batch.sparkSession.sparkContext.defaultParallelism
    return batch.coalesce(max(1, slots // 2))


def _source(row: Any) -> MessagePosition:
    return MessagePosition(row.topic, row.partition, row.offset)


def _instant(value: datetime) -> datetime:
    """Return Kafka's timestamp of a message, which Spark gives in this process's own zone."""
    return value.astimezone(UTC)


def _bytes(value: bytes | bytearray | None) -> bytes | None:
    return None if value is None else bytes(value)

"""The streaming job: one Spark session, four queries, each with its own checkpoint.

Run it with `python -m streaming.job`. A query that fails (a service was away) is started again
from its checkpoint, alone; the others go on.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa
import structlog
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from backtests.simulate import warm
from mela.messages import CHUNK_RESULTS, PROGRESS, RUNS, SCENES, MessagePosition
from mela.settings import Settings
from messaging.connection import spark_options
from messaging.publisher import publisher_of
from services.alerts import post_alert
from services.job_state import BEAT_S, QueryState, state_file, write_state
from services.positions import checkpoint
from streaming import checking, conclude, daemon, mirror, plan
from streaming.conclude import ProgressMessage
from streaming.confinement import confine
from streaming.large_scenes import LargeScenes
from streaming.logs import plain_logs
from streaming.plan import SceneMessage
from streaming.poison import contained, is_away
from streaming.reach import Measure
from streaming.record import ResultMessage, record_results, send_progress
from streaming.run import ChunkMessage, run_chunks
from streaming.upgrade import record_what_is_left
from streaming.watch import JobWatch
from streaming.workers import in_workers

log = structlog.get_logger()
POOLS = Path(__file__).with_name("pools.xml")
# Four small files a batch and query: without these, each costs two processes (`chmod`) more.
LOCAL_CHECKPOINTS = {
    "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
    "spark.sql.streaming.checkpointFileManagerClass": "org.apache.spark.sql.execution.streaming."
    "checkpointing.FileSystemBasedCheckpointFileManager",
}
WATCH_S = 0.5
CATCH_UP_S = 60.0  # how often MLflow is given what it missed
SHOWN_MS = 20
SCENES_AT_ONCE = 256
GATHER = "300 milliseconds"  # fewer, larger batches where nobody waits for an answer
SETTLE = "1 second"  # each look at mela.progress costs what twenty runs cost, and most find nothing
FETCH_WAIT_MS = 10
PLAN_LINGER_MS = 5  # the first chunks of a large scene: nobody computes before they are there
POLLING = "100ms"  # how long an idle query waits before it asks Kafka again
COLUMNS = ("value", "topic", "partition", "offset")
TIMED = (*COLUMNS, "timestamp")
Batches = Iterator[pa.RecordBatch]


def session(settings: Settings) -> SparkSession:
    """Return the Spark session, on loopback alone unless workers elsewhere must find the driver."""
    is_alone = settings.spark.driver_host == "127.0.0.1"
    secret = settings.spark.secret.get_secret_value()
    builder: SparkSession.Builder = SparkSession.builder  # pyright: ignore[reportAssignmentType]
    scratch = settings.home / "spark" / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    options = {
        "spark.master": settings.spark.master,
        "spark.app.name": "mela",
        "spark.jars": settings.spark.jars,
        "spark.driver.memory": settings.spark.driver_memory,
        # The JVM only hands batches over: its second compiler costs more here than it saves.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC "
        f"-Djava.io.tmpdir={scratch}",  # /tmp may be closed: see `confinement`
        "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.driver.host": settings.spark.driver_host,
        "spark.driver.bindAddress": "127.0.0.1" if is_alone else "0.0.0.0",  # noqa: S104
        "spark.executor.memory": settings.spark.executor_memory,
        "spark.authenticate": "true" if secret else "",
        "spark.authenticate.secret": secret,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.scheduler.mode": "FAIR",
        "spark.scheduler.allocation.file": str(POOLS),
        "spark.sql.warehouse.dir": str(settings.home / "spark" / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.streaming.minBatchesToRetain": "20",
        "spark.sql.streaming.metricsEnabled": "false",
        "spark.sql.streaming.pollingDelay": POLLING,
        "spark.sql.execution.arrow.maxRecordsPerBatch": "4096",
        # on the class path from the start, as LOCAL_CHECKPOINTS are asked for before spark.jars are
        "spark.driver.extraClassPath": settings.spark.jars.replace(",", ":"),
        "spark.executor.extraClassPath": "" if is_alone else settings.spark.jars.replace(",", ":"),
        **LOCAL_CHECKPOINTS,
        "spark.python.daemon.module": "streaming.daemon",
        "spark.python.worker.reuse": "true",
        "spark.pyspark.python": sys.executable,
        "spark.pyspark.driver.python": sys.executable,
    }
    for name, value in options.items():
        if value:
            builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


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


def queries(settings: Settings, large: LargeScenes) -> list[Query]:
    """Return the four queries of the job path."""

    def plan_batch(batch: DataFrame, _: int) -> None:
        publisher = publisher_of(settings, linger_ms=PLAN_LINGER_MS, owner="plan")
        rows = sorted(batch.collect(), key=_source)
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

    weak = settings.for_strategies()

    def run(batch: DataFrame, _: int) -> None:
        def execute(parts: Batches) -> Batches:
            done = run_chunks((ChunkMessage(*message) for message in _messages(parts)), weak)
            yield pa.RecordBatch.from_pydict(
                {
                    "scene_id": pa.array(done.keys(), pa.string()),
                    "chunks": pa.array(done.values(), pa.int64()),
                }
            )

        executed: Counter[str] = Counter()
        columns = "scene_id string, chunks bigint"
        for row in in_workers(daemon.RUN, _packed(batch), execute, columns).collect():
            executed[row.scene_id] += row.chunks
        large.ahead.executed(executed)

    def record(batch: DataFrame, _: int) -> None:
        def store(parts: Batches) -> Batches:
            found = record_results(
                [ResultMessage(*message) for message in _messages(parts)], settings
            )
            yield pa.RecordBatch.from_pydict({"scene_id": pa.array(sorted(found), pa.string())})

        rows = in_workers(daemon.RECORD, _packed(batch), store, "scene_id string").collect()
        publisher = publisher_of(settings, owner="record")
        send_progress({row.scene_id for row in rows}, settings, publisher)

    def conclude_batch(batch: DataFrame, _: int) -> None:
        publisher = publisher_of(settings, owner="conclude")
        messages = [ProgressMessage(_bytes(row.value), _source(row)) for row in batch.collect()]
        found = conclude.recorded_scenes(messages)
        for message, why in found.refused:
            conclude.refuse(message, why, publisher)
        publisher.flush()
        for scene_id, message in found.scenes.items():
            contained(
                "scene",
                partial(conclude.conclude_recorded, scene_id, message, settings, publisher),
                partial(conclude.give_up, scene_id, settings, publisher),
                scene_id=scene_id,
            )

    chunks = settings.spark.max_chunks_per_trigger
    return [
        Query("plan", SCENES, SCENES_AT_ONCE, "0 seconds", plan_batch, TIMED),
        Query("run", RUNS, chunks, "0 seconds", run),
        Query("record", CHUNK_RESULTS, chunks, GATHER, record),
        Query("conclude", PROGRESS, 1000, SETTLE, conclude_batch),
    ]


class Job:
    """Keeps the four queries running until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._spark = session(settings)
        self._large = LargeScenes(settings)
        self._queries = {query.name: query for query in queries(settings, self._large)}
        self._running: dict[str, StreamingQuery] = {}
        self._watch = JobWatch.of(self._queries)
        self._not_before: dict[str, float] = dict.fromkeys(self._queries, 0.0)
        self._logged: dict[str, int] = {}
        self._written_state: tuple[bool, tuple[QueryState, ...]] | None = None
        self._beat_at = 0.0
        self._measure = Measure(settings)
        self._catching_up = threading.Thread()
        self._catch_up_at = time.monotonic() + CATCH_UP_S
        self._checking = threading.Thread()

    def warm_up(self) -> None:
        """Have Spark start its Python workers, so that nobody's first run waits for them."""

        def nothing(parts: Batches) -> Batches:
            yield from parts

        slots = max(1, self._spark.sparkContext.defaultParallelism // 2)
        for kind in (daemon.RUN, daemon.RECORD):
            idle = self._spark.range(slots, numPartitions=slots)
            in_workers(kind, idle, nothing, "id bigint").collect()
        log.info("workers_started", slots=slots)

    def take_over(self) -> None:
        """Finish what an older release of this job left. Raises where a service is away."""
        record_what_is_left(self._spark, self._settings)

    def run(self) -> None:
        """Watch the queries; return when told to stop, or raise when Spark itself is gone."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        threading.Thread(
            target=self._large.run, args=(self._stop,), name="large-scenes", daemon=True
        ).start()
        self._measure.start()
        while not self._stop.is_set():
            for name in self._queries:
                self._look_at(name)
            self._look_at_reach()
            self._say_state()
            self._catch_up()
            self._check_strategies()
            self._stop.wait(WATCH_S)
        for query in self._running.values():
            query.stop()
        self._spark.stop()

    def _catch_up(self) -> None:
        """Now and then write to MLflow what it missed, beside everything else."""
        now = time.monotonic()
        is_due = now >= self._catch_up_at or mirror.is_behind()
        if not is_due or self._catching_up.is_alive():
            return
        self._catch_up_at = now + CATCH_UP_S
        self._catching_up = threading.Thread(
            target=_caught_up, args=(self._settings,), name="catch-up", daemon=True
        )
        self._catching_up.start()

    def _check_strategies(self) -> None:
        """Find out what is not known of the strategies that scenes name, beside everything else."""
        if checking.is_wanted() and not self._checking.is_alive():
            self._checking = threading.Thread(
                target=_checked, args=(self._settings,), name="check-strategies", daemon=True
            )
            self._checking.start()

    def _look_at(self, name: str) -> None:
        running, watch = self._running.get(name), self._watch.queries[name]
        now = time.monotonic()
        if running is not None and running.isActive:
            if watch.failures and running.lastProgress is not None:
                self._alert("query_recovered", watch.advanced())
                log.info("query_recovered", query=name)
            self._log_batch(running)
            return
        if running is not None:
            self._running.pop(name)
            why = _why(running)
            wait = watch.failed(why)
            self._not_before[name] = now + wait
            log.error("query_failed", query=name, retry_in_s=wait, why=why)
        elif now >= self._not_before[name]:
            self._running[name] = self._queries[name].start(self._spark, self._settings)
            watch.started()
            log.info("query_started", query=name)
        self._alert("query_failing", watch.overdue())

    def _look_at_reach(self) -> None:
        """Find queries that live without getting anywhere."""
        is_new, reaches = self._measure.take()
        if not is_new:
            return
        for name, watch in self._watch.queries.items():
            found = watch.measured(
                reaches[name] if reaches else None, self._settings.monitor.stuck_after_s
            )
            if found is not None:
                self._alert(*found)

    def _alert(self, event: str, about: dict[str, Any] | None) -> None:
        """Tell the webhook beside everything else: a slow one must not hold the queries up."""
        if about is not None:
            log.error(event, **about)
            threading.Thread(
                target=post_alert, args=(event, about, self._settings), daemon=True
            ).start()

    def _log_batch(self, running: StreamingQuery) -> None:
        """Log the newest batch that had input, once: how much, and where its time went."""
        progress = running.lastProgress
        if progress is None or not progress.numInputRows:
            return
        name, batch = str(running.name), progress.batchId
        if self._logged.get(name) != batch:
            self._logged[name] = batch
            self._watch.queries[name].saw_batch(progress.durationMs["triggerExecution"] / 1000)
            spent = {phase: ms for phase, ms in progress.durationMs.items() if ms >= SHOWN_MS}
            log.info("batch", query=name, batch=batch, rows=progress.numInputRows, spent_ms=spent)

    def _say_state(self) -> None:
        """Write how the queries do, for `mela status` and the health probe, and that we live."""
        state, at = self._watch.state(), time.monotonic()
        if (state.ready, state.queries) != self._written_state or at >= self._beat_at:
            write_state(self._settings.home, state)
            self._written_state, self._beat_at = (state.ready, state.queries), at + BEAT_S

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        log.info("job_stopping", signal=signal.Signals(signum).name)
        self._stop.set()


def _caught_up(settings: Settings) -> None:
    try:
        mirror.catch_up(settings)
    except Exception as error:  # noqa: BLE001  it is asked again in a minute, and stops nobody
        log.warning("mlflow_catch_up_failed", why=str(error)[:500])


def _checked(settings: Settings) -> None:
    try:
        checking.check_wanted(settings)
    except Exception as error:  # noqa: BLE001  a scene asks again, and results say not verified
        log.warning("strategies_not_checked", why=str(error)[:500])


def main() -> None:
    """Run the job until SIGTERM."""
    plain_logs()
    settings = Settings()
    for folder in ("spark/checkpoints", "spark/warehouse", "cache", "packages"):
        (settings.home / folder).mkdir(parents=True, exist_ok=True)
    log.info("confined", by_the_kernel=confine(settings))
    state_file(settings.home).unlink(missing_ok=True)
    threading.Thread(target=warm, name="warm", daemon=True).start()  # while the JVM starts
    job = Job(settings)
    job.warm_up()
    job.take_over()
    gc.collect()  # what stands here now stays: planning a large scene would look through it again
    gc.freeze()
    job.run()


def _packed(batch: DataFrame) -> DataFrame:
    """Give each core a task, not each partition of the topic: a task has a price of its own.

    Half of Spark's slots are for `run`, half for `record`, so that neither waits for the other.
    """
    slots = batch.sparkSession.sparkContext.defaultParallelism
    return batch.coalesce(max(1, slots // 2))


def _messages(parts: Batches) -> Iterator[tuple[bytes | None, MessagePosition]]:
    for part in parts:
        value, topic, partition, offset = (part.column(i).to_pylist() for i in range(4))
        for row in zip(value, topic, partition, offset, strict=True):
            yield row[0], MessagePosition(row[1], row[2], row[3])


def _source(row: Any) -> MessagePosition:
    return MessagePosition(row.topic, row.partition, row.offset)


def _instant(value: datetime) -> datetime:
    """Return Kafka's timestamp of a message, which Spark gives in this process's own zone."""
    return value.astimezone(UTC)


def _bytes(value: bytes | bytearray | None) -> bytes | None:
    return None if value is None else bytes(value)


def _why(query: StreamingQuery) -> str:
    try:
        error = query.exception()
    except PySparkException as broken:
        return str(broken)[:2000]
    return "stopped" if error is None else str(error)[:2000]


if __name__ == "__main__":
    main()

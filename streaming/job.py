"""The streaming job: one Spark session, four queries, each with its own checkpoint.

Run it with `python -m streaming.job`. A query that fails (a service was away) is started again
from its checkpoint, alone; the others go on.
"""

from __future__ import annotations

import gc
import signal
import threading
import time
from types import FrameType
from typing import Any

import structlog
from pyspark.errors import PySparkException
from pyspark.sql.streaming.query import StreamingQuery

from backtests.simulate import warm
from mela.settings import Settings
from services.alerts.webhook import post_alert
from services.monitoring.job_state import Saying, state_file
from streaming import checking, daemon, mirror
from streaming.cancelled import CancelledScenes
from streaming.confinement import confine
from streaming.executors import Executors
from streaming.large_scenes import LargeScenes
from streaming.learning import Learning
from streaming.logs import plain_logs
from streaming.queries import queries
from streaming.reach import Measure
from streaming.session import session
from streaming.tasks import Batches
from streaming.upgrade import record_what_is_left
from streaming.watch import JobWatch
from streaming.workers import in_workers

log = structlog.get_logger()
WATCH_S = 0.5
CATCH_UP_S = 60.0  # how often MLflow is given what it missed
SHOWN_MS = 20


class Job:
    """Keeps the four queries running until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._spark = session(settings)
        self._executors = Executors(self._spark, self.warm_up)
        self._large = LargeScenes(settings)
        self._learning = Learning(settings)
        self._cancelled = CancelledScenes(settings)
        wanted = queries(settings, self._large, self._learning)
        self._queries = {query.name: query for query in wanted}
        self._running: dict[str, StreamingQuery] = {}
        self._watch = JobWatch.of(self._queries)
        self._not_before: dict[str, float] = dict.fromkeys(self._queries, 0.0)
        self._logged: dict[str, int] = {}
        self._saying = Saying(settings.home)
        self._measure = Measure(settings)
        self._catching_up = threading.Thread()
        self._catch_up_at = time.monotonic() + CATCH_UP_S
        self._checking = threading.Thread()

    def warm_up(self) -> None:
        """Have Spark start its Python workers, so that nobody's first run waits for them."""

        def nothing(parts: Batches) -> Batches:
            yield from parts

        slots = self._spark.sparkContext.defaultParallelism
        if not self._executors.are_elsewhere:  # else any slot may have any kind of work
            slots = max(1, slots // 2)
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
        beside = {
            "large-scenes": self._large.run,
            "learning": self._learning.run,
            "cancelled-scenes": self._cancelled.run,
        }
        for name, work in beside.items():
            threading.Thread(target=work, args=(self._stop,), name=name, daemon=True).start()
        self._measure.start()
        while not self._stop.is_set():
            for name in self._queries:
                self._look_at(name)
            self._look_at_reach()
            self._executors.look()
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
        self._saying.say(self._watch.state())

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


def _why(query: StreamingQuery) -> str:
    try:
        error = query.exception()
    except PySparkException as broken:
        return str(broken)[:2000]
    return "stopped" if error is None else str(error)[:2000]


if __name__ == "__main__":
    main()

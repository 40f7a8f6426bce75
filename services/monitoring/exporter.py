"""The metrics of `services/monitoring/all_metrics.py`, measured whenever Prometheus asks for them.

A source that does not answer leaves its metrics out, and `mela_source_up` says so: a number that is
not known is not 0.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from mela.errors import RejectionCode, SourceUnavailable
from mela.messages import CHUNK_RESULTS, PROGRESS, REJECTED, RESULTS, RUNS, SCENES
from mela.settings import Settings
from mela.trading_messages import TRADING
from messaging.offsets import EndOffsets
from services.monitoring import trading_metrics
from services.monitoring.all_metrics import EXPORTED, Exported
from services.monitoring.job_state import now, read_state
from services.monitoring.query_progress import READS, committed
from warehouse.database import transaction
from warehouse.scenes import counts, stages

log = structlog.get_logger()
TOPICS = (SCENES, RUNS, CHUNK_RESULTS, RESULTS, PROGRESS, REJECTED, *TRADING)
SQL_S = 2.0  # a statement that takes longer is ended: whoever watches must not disturb
FRESH_S = 5.0  # several that ask at the same time get one measurement
NEWEST_SCENES = 1_000
AWAY = (SourceUnavailable, SQLAlchemyError, ValueError, OSError)
# What has not happened yet is 0, and no gap: a rate needs the number before the first one.
_STATES = ("received", "planned", "finished", "rejected", "cancelled")
_CODES = tuple(str(code) for code in RejectionCode)
Values = dict[str, list[tuple[tuple[str, ...], Any]]]


@dataclass(frozen=True, slots=True)
class ServiceSample:
    """The state of one service of the stack."""

    name: str
    is_healthy: bool
    restarts: int
    cpu_s: float
    memory_bytes: int


class Measured(Collector):
    """Measures everything that `EXPORTED` lists."""

    def __init__(
        self, settings: Settings, services: Callable[[], Sequence[ServiceSample]] = lambda: ()
    ) -> None:
        self._settings = settings
        self._services = services
        self._ends = EndOffsets(settings)
        self._lock = threading.Lock()
        self._values: Values = {}
        self._measured_at = float("-inf")

    def describe(self) -> Iterator[Any]:
        """Yield the metrics without samples, so that registering this measures nothing."""
        yield from (_family(one, ()) for one in EXPORTED)

    def collect(self) -> Iterator[Any]:
        """Yield the metrics with what was measured now, or a moment ago."""
        values = self.values()
        for one in EXPORTED:
            if one.name in values:
                yield _family(one, values[one.name])

    def values(self) -> Values:
        """Return metric → (labels' values, value); a pair of count and sum for a summary."""
        with self._lock:
            if time.monotonic() - self._measured_at > FRESH_S:
                self._values = self._measure()
                self._measured_at = time.monotonic()
            return self._values

    def _measure(self) -> Values:
        found: Values = {"mela_source_up": [], "mela_scrape_duration_seconds": []}
        sources: Mapping[str, Callable[[], Values]] = {
            "services": self._of_services,
            "kafka": self._of_kafka,
            "checkpoints": self._of_checkpoints,
            "job": self._of_job,
            "warehouse": self._of_warehouse,
            "trading": self._of_trading,
        }
        for name, measure in sources.items():
            began = time.monotonic()
            is_up = 1
            try:
                found |= measure()
            except AWAY as error:
                is_up = 0
                log.warning("not_measured", source=name, why=str(error).strip()[:300])
            found["mela_source_up"].append(((name,), is_up))
            took_s = time.monotonic() - began
            found["mela_scrape_duration_seconds"].append(((name,), took_s))
        return found

    def _of_services(self) -> Values:
        seen = self._services()
        return {
            "mela_service_healthy": [((one.name,), int(one.is_healthy)) for one in seen],
            "mela_service_watchdog_restarts": [((one.name,), one.restarts) for one in seen],
            "mela_service_cpu_seconds": [((one.name,), one.cpu_s) for one in seen],
            "mela_service_memory_bytes": [((one.name,), one.memory_bytes) for one in seen],
        }

    def _of_kafka(self) -> Values:
        ends = self._ends.of(TOPICS)
        lags = [
            ((query, topic), committed(self._settings.home, query).waiting(ends[topic]))
            for query, topic in READS.items()
        ]
        return {
            "mela_topic_messages": [((topic,), sum(ends[topic].values())) for topic in TOPICS],
            "mela_query_lag_messages": lags,
        }

    def _of_checkpoints(self) -> Values:
        at = {query: committed(self._settings.home, query) for query in READS}
        return {
            "mela_query_messages": [((query,), one.messages) for query, one in at.items()],
            "mela_query_batches": [((query,), one.batch + 1) for query, one in at.items()],
        }

    def _of_job(self) -> Values:
        state = read_state(self._settings.home)
        if state is None:
            raise SourceUnavailable("the streaming job has written no state yet")
        age_s = (now() - state.at).total_seconds()
        one_each = state.queries
        return {
            "mela_job_ready": [((), int(state.ready and state.silence() is None))],
            "mela_job_heartbeat_age_seconds": [((), age_s)],
            "mela_query_batch_seconds": [((q.name,), (q.batches, q.batch_s)) for q in one_each],
            "mela_query_failures": [((q.name,), q.all_failures) for q in one_each],
            "mela_query_failing": [((q.name,), int(q.failing_since is not None)) for q in one_each],
            "mela_query_stuck": [((q.name,), int(q.stuck_since is not None)) for q in one_each],
        }

    def _of_warehouse(self) -> Values:
        with transaction(self._settings) as connection:
            found = counts.counted(connection, limit_s=SQL_S)
            spent = stages.seconds(connection, NEWEST_SCENES)
        return {
            "mela_scenes": _by(dict.fromkeys(_STATES, 0) | found.scenes),
            "mela_scenes_rejected": _by(dict.fromkeys(_CODES, 0) | found.rejected),
            "mela_runs": _by(found.runs),
            "mela_runs_cached": [((), found.cached)],
            "mela_results": _by(found.results),
            "mela_scene_stage_seconds": _by(spent),
            "mela_oldest_scene_age_seconds": [((), found.oldest_s)],
            "mela_chunks_marked": [((), found.marked)],
        }

    def _of_trading(self) -> Values:
        return trading_metrics.measure(self._settings, now(), limit_s=SQL_S)


def serve(
    settings: Settings,
    listen: str,
    port: int,
    services: Callable[[], Sequence[ServiceSample]] = lambda: (),
) -> None:
    """Serve the metrics over HTTP, in threads that end with the process."""
    registry = CollectorRegistry()
    registry.register(Measured(settings, services))
    start_http_server(port, addr=listen, registry=registry)


def _by(values: Mapping[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    return [((key,), value) for key, value in sorted(values.items())]


def _family(one: Exported, samples: Iterable[tuple[tuple[str, ...], Any]]) -> Any:
    match one.kind:
        case "gauge":
            family = GaugeMetricFamily(one.name, one.help, labels=one.labels)
        case "counter":
            family = CounterMetricFamily(one.name, one.help, labels=one.labels)
        case "summary":
            family = SummaryMetricFamily(one.name, one.help, labels=one.labels)
            for labels, (count, total) in samples:
                family.add_metric(labels, count, total)
            return family
    for labels, value in samples:
        family.add_metric(labels, value)
    return family

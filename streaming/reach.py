"""Measures, beside everything else, how far each query has come and what still waits for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import structlog

from mela.errors import SourceUnavailable
from mela.settings import Settings
from messaging.offsets import EndOffsets
from services.monitoring.query_progress import READS, SENDS, committed
from streaming.watch import Reach

log = structlog.get_logger()
MEASURE_S = 5.0
TOPICS = tuple({*READS.values(), *(topic for topics in SENDS.values() for topic in topics)})


class Measure:
    """Measures in a thread of its own, as a broker that is away answers late."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._latest: Mapping[str, Reach] | None = None
        self._is_new = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Measure from now on, until the process ends."""
        threading.Thread(target=self._measure, name="reach", daemon=True).start()

    def take(self) -> tuple[bool, Mapping[str, Reach] | None]:
        """Return whether there is a new measurement, and it: None where Kafka was away."""
        with self._lock:
            is_new, self._is_new = self._is_new, False
            return is_new, self._latest

    def _measure(self) -> None:
        ends = EndOffsets(self._settings)
        pause = threading.Event()
        while True:
            found = self._reaches(ends)
            with self._lock:
                self._latest, self._is_new = found, True
            pause.wait(MEASURE_S)

    def _reaches(self, ends: EndOffsets) -> Mapping[str, Reach] | None:
        try:
            reached = ends.of(TOPICS)
            return {query: self._reach(query, reached) for query in READS}
        except (SourceUnavailable, ValueError, OSError) as error:
            log.warning("queries_not_measured", why=str(error)[:500])
            return None

    def _reach(self, query: str, ends: Mapping[str, Mapping[int, int]]) -> Reach:
        at = committed(self._settings.home, query)
        sent = [sum(ends[topic].values()) for topic in SENDS[query]]
        return Reach(at.waiting(ends[READS[query]]), (at.batch, *sent))

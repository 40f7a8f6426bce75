"""A circuit breaker: stop asking a service that keeps failing, and probe it now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

import structlog

from mela.counts import counted
from mela.errors import SourceUnavailable

log = structlog.get_logger()


class Breaker:
    """Open after `failures` in a row; allow one request after each `pause_s`. Thread-safe.

    Closed, every request passes. Open, none does. Half-open, one does: its success closes the
    breaker, its failure opens it for another pause.
    """

    def __init__(
        self,
        name: str,
        failures: int = 10,
        pause_s: float = 60.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._name = name
        self._most = failures
        self._pause_s = pause_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failed = 0
        self._last = ""
        self._opened_at: float | None = None
        self._is_trying = False

    def check(self) -> None:
        """Allow a request. Raises SourceUnavailable while open, with the time of the next attempt.

        Every request that passes must end in `record_success`, `record_failure` or
        `record_nothing`.
        """
        with self._lock:
            if self._opened_at is None:
                return
            left_s = self._opened_at + self._pause_s - self._clock()
            if left_s <= 0 and not self._is_trying:
                self._is_trying = True
                return
            left_s = max(left_s, 1.0)  # another request is probing right now
            until = datetime.now(UTC) + timedelta(seconds=left_s)
            raise SourceUnavailable(
                f"{self._name} failed {counted(self._failed, 'time')} in a row, so it is not "
                "asked until "
                f"{until:%Y-%m-%dT%H:%M:%SZ}; try then. The last failure: {self._last}",
                left_s,
            )

    def record_success(self) -> None:
        """Record an answer. A refusal counts too, because the service answered."""
        with self._lock:
            if self._opened_at is not None:
                log.info("breaker_closed", service=self._name)
            self._failed, self._opened_at, self._is_trying = 0, None, False

    def record_failure(self, reason: str) -> None:
        """Record a request without an answer."""
        with self._lock:
            self._failed += 1
            self._last = reason
            if self._is_trying or (self._opened_at is None and self._failed >= self._most):
                self._opened_at = self._clock()
                log.warning("breaker_opened", service=self._name, failures=self._failed)
            self._is_trying = False

    def record_nothing(self) -> None:
        """End a request that says nothing about the service's health."""
        with self._lock:
            self._is_trying = False

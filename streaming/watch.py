"""Which queries run, which are repeated, since when, and when somebody must be told.

Spark does not come in here: the job says what it sees, and asks what follows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.job_state import JobState, QueryState, now, shortened

BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
ALERT_AFTER_S = 120.0  # a service that restarts is back by then


@dataclass(slots=True)
class QueryWatch:
    """One query's failures since its last batch that succeeded."""

    name: str
    failures: int = 0
    failing_since: datetime | None = None
    reason: str | None = None
    is_running: bool = False
    is_notified: bool = False

    def started(self) -> None:
        """Note that the query was started; whether it works is seen at its first batch."""
        self.is_running = True

    def failed(self, reason: str) -> float:
        """Note a failure; return in how many seconds the query shall be started again."""
        wait = BACKOFF_S[min(self.failures, len(BACKOFF_S) - 1)]
        self.failures += 1
        self.failing_since = self.failing_since or now()
        self.reason, self.is_running = shortened(reason), False
        return wait

    def advanced(self) -> dict[str, Any] | None:
        """Note that a batch succeeded; return the alert that takes back an earlier one."""
        was_notified, since, failures = self.is_notified, self.failing_since, self.failures
        self.failures, self.failing_since, self.reason, self.is_notified = 0, None, None, False
        if not was_notified:
            return None
        times = "1 failure" if failures == 1 else f"{failures} failures"
        text = f"the streaming query {self.name} works again after {times}"
        return {"query": self.name, "since": str(since), "failures": failures, "text": text}

    def overdue(self) -> dict[str, Any] | None:
        """Return the alert of a query that has failed for long, once until it works again."""
        if self.is_notified or self.failing_since is None:
            return None
        if (now() - self.failing_since).total_seconds() < ALERT_AFTER_S:
            return None
        self.is_notified = True
        return {
            "query": self.name,
            "since": str(self.failing_since),
            "failures": self.failures,
            "reason": self.reason,
            "text": f"{self.state().sentence()}. Nothing is lost, and nothing goes on.",
        }

    def state(self) -> QueryState:
        """Return what `mela status` shows."""
        return QueryState(
            name=self.name,
            failures=self.failures,
            failing_since=self.failing_since,
            reason=self.reason,
        )


@dataclass(slots=True)
class JobWatch:
    """The queries of a job, by name."""

    queries: dict[str, QueryWatch] = field(default_factory=dict[str, QueryWatch])

    @classmethod
    def of(cls, names: Iterable[str]) -> JobWatch:
        """Watch queries of which none was started."""
        return cls({name: QueryWatch(name) for name in names})

    def state(self) -> JobState:
        """Return what `mela status` shows of the job."""
        return JobState(
            pid=os.getpid(),
            at=now(),
            ready=all(one.is_running and one.failures == 0 for one in self.queries.values()),
            queries=tuple(one.state() for one in self.queries.values()),
        )

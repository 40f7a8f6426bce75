"""Watch the queries: which run, which are repeated since when, and when to warn.

Spark does not come in here: the job says what it sees, and asks what follows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.monitoring.job_state import JobState, QueryState, now, shortened

BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
ALERT_AFTER_S = 120.0  # a service that restarts is back by then


@dataclass(frozen=True, slots=True)
class Reach:
    """The measured progress of a query.

    waiting: messages that it has not finished
    mark: changes whenever it gets anywhere: its last batch, and the ends of the topics that it
        sends to, as a batch may take long
    """

    waiting: int
    mark: tuple[int, ...]


@dataclass(slots=True)
class QueryWatch:
    """One query's failures since its last batch that succeeded, and whether it gets anywhere."""

    name: str
    reach: Reach = Reach(0, ())
    moved_at: datetime = field(default_factory=now)
    stuck_since: datetime | None = None
    all_failures: int = 0
    batches: int = 0
    batch_s: float = 0.0
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
        self.all_failures += 1
        self.moved_at, self.stuck_since = now(), None  # a failure is something else
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

    def measured(self, reach: Reach | None, bound_s: float) -> tuple[str, dict[str, Any]] | None:
        """Note how far the query has come; return the alert that it is stuck, or no longer.

        reach: None where it could not be measured, which says nothing of the query
        """
        at = now()
        moves = reach is None or reach.mark != self.reach.mark or reach.waiting == 0
        self.reach = reach or self.reach
        if moves or self.failing_since is not None:
            was_stuck, self.moved_at, self.stuck_since = self.stuck_since, at, None
            if was_stuck is None:
                return None
            text = f"the streaming query {self.name} goes on, stuck since {was_stuck}"
            return "query_advances", {"query": self.name, "since": str(was_stuck), "text": text}
        if self.stuck_since is None and (at - self.moved_at).total_seconds() >= bound_s:
            self.stuck_since = self.moved_at
            return "query_stuck", {
                "query": self.name,
                "since": str(self.stuck_since),
                "waiting": self.reach.waiting,
                "text": f"{self.state().sentence()}. The watchdog restarts the job if it stays so.",
            }
        return None

    def saw_batch(self, seconds: float) -> None:
        """Note a batch that had input."""
        self.batches += 1
        self.batch_s += seconds

    def state(self) -> QueryState:
        """Return what `mela status` shows."""
        return QueryState(
            name=self.name,
            failures=self.failures,
            failing_since=self.failing_since,
            reason=self.reason,
            waiting=self.reach.waiting,
            stuck_since=self.stuck_since,
            all_failures=self.all_failures,
            batches=self.batches,
            batch_s=round(self.batch_s, 3),
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
            ready=all(
                one.is_running and one.failures == 0 and one.stuck_since is None
                for one in self.queries.values()
            ),
            queries=tuple(one.state() for one in self.queries.values()),
        )

"""The streaming job for the application: its queries, their backlog, scenes by state."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mela.settings import Settings
from services.monitoring.job_state import JobState, read_state
from services.monitoring.overview import QueryNow, Watcher
from warehouse.database import transaction
from warehouse.scenes import pages

_watchers: dict[str, Watcher] = {}
_lock = threading.Lock()  # a watcher asks Kafka for one at a time


@dataclass(frozen=True, slots=True)
class JobNow:
    """The streaming job. is_ready: every query runs and none fails; message: what is wrong."""

    is_ready: bool
    message: str
    at: datetime | None
    queries: tuple[QueryNow, ...]
    scenes_by_state: Mapping[str, int]


def job_now(settings: Settings) -> JobNow:
    """Return how the streaming job is. A service that does not answer is left out."""
    with _lock:
        watcher = _watchers.setdefault(settings.kafka.brokers, Watcher(settings))
        queries = watcher.queries()
    with transaction(settings) as connection:
        states = pages.states(connection)
    state = _state(settings)
    silent = None if state is None else state.silence()
    if state is None:
        return JobNow(False, "it has not said anything yet.", None, queries, states)
    wrong = [one.sentence() for one in state.queries if not one.is_well]
    message = silent or "; ".join(wrong) or ("it works." if state.ready else "it is starting.")
    return JobNow(state.ready and silent is None, message, state.at, queries, states)


def _state(settings: Settings) -> JobState | None:
    try:
        return read_state(settings.home)
    except (ValueError, OSError):  # of another release, or not to be read from here
        return None

"""Wait for a service to become healthy, with a timeout, and explain why it did not."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from mela.counts import counted
from mela.errors import StackFailed
from stack.http import NoAnswer
from stack.service import Service, Site
from stack.supervision import Supervisor

_POLL_S = 0.4
_EXITS_MAX = 3  # in one wait: it will not come up by being started once more
_LAST_LINES = 15
_TELL_S = 60.0


def wait_healthy(
    site: Site,
    supervisor: Supervisor,
    service: Service,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Return once the service's probe succeeds. Raises StackFailed with its last log lines.

    tell: receives a sentence once a minute: how long it has taken, and what is missing
    """
    began = time.monotonic()
    deadline, reported_at = began + service.wait_s, began
    exits_before = exits(site.log("supervisord"), service.name)
    missing: str | None = "it has not been probed"
    while missing is not None:
        missing = state(site, supervisor, service)
        exited = exits(site.log("supervisord"), service.name) - exits_before
        if missing is not None and exited >= _EXITS_MAX:
            raise _failed(site, service, f"it exited {counted(exited, 'time')}; {missing}")
        if missing is not None and time.monotonic() > deadline:
            raise _failed(site, service, f"not healthy after {service.wait_s:.0f} s: {missing}")
        if missing is not None and time.monotonic() - reported_at >= _TELL_S:
            reported_at = time.monotonic()
            tell(f"still starting after {reported_at - began:.0f} s: {missing}")
        if missing is not None:
            time.sleep(_POLL_S)


def finish(site: Site, service: Service) -> None:
    """Take the service's last steps; repeat them as long as a service is too busy to answer.

    Raises StackFailed.
    """
    deadline = time.monotonic() + service.wait_s
    while True:
        try:
            return service.finish(site)
        except NoAnswer:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)


def state(site: Site, supervisor: Supervisor, service: Service) -> str | None:
    """Return None if the service is healthy, else what is missing."""
    process = supervisor.processes().get(service.name)
    if process is None or not process.pid:
        return f"its process is {process.state if process else 'not there'}"
    return service.probe(site, process.pid)


def exits(log: Path, name: str) -> int:
    """Return how often a process exited by itself since supervisord started, by its log."""
    if not log.exists():
        return 0
    text = log.read_text(encoding="utf-8", errors="replace")
    since = text.rfind("supervisord started with pid")
    return len(re.findall(rf"exited: {re.escape(name)} \(", text[max(since, 0) :]))


def last_lines(log: Path, count: int) -> list[str]:
    """Return the last lines of a log; an empty list if there is no log."""
    if not log.exists():
        return []
    with log.open(encoding="utf-8", errors="replace") as handle:
        return [line.rstrip("\n") for line in deque(handle, maxlen=count)]


def _failed(site: Site, service: Service, why: str) -> StackFailed:
    log = site.log(service.name)
    lines = "\n".join(f"    {line}" for line in last_lines(log, _LAST_LINES)) or "    (nothing)"
    return StackFailed(
        f"{service.name} did not become healthy: {why}. Its last words, from {log}:\n{lines}\n"
        f"Read more with `mela logs {service.name}`; `mela down` and `mela up` begin afresh"
    )

"""Work that goes on in a thread of the job beside its queries, for as long as the job lives."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from streaming.poison import is_away

log = structlog.get_logger()
WAIT_S = 1.0


def keep_on(
    step: Callable[[], bool], stop: threading.Event, changed: threading.Event, name: str
) -> None:
    """Take steps until told to stop; wait where there is nothing to do, or a service is away.

    step: does a part of the work, and tells whether there was any
    changed: set by whoever has new work; name: of the thread, in the log
    """
    while not stop.is_set():
        try:
            is_idle = not step()
        except Exception as error:
            # Nobody would start this thread again, and its scenes would wait for ever.
            if is_away(error):
                log.warning("thread_waits", thread=name, why=str(error)[:500])
            else:
                log.exception("thread_failed", thread=name)
            is_idle = True
        if is_idle:
            changed.wait(WAIT_S)
            changed.clear()

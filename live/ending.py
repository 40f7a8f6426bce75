"""End the trading process within seconds of the request, whatever hangs.

All that counts is in the log by then, as this process may be killed at any point. So nothing is
worth a long wait: a feed that does not close, a thread that waits for Kafka and a market that does
not answer are left where they are.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NoReturn

import structlog

LOG = structlog.get_logger(__name__)
SESSIONS_S = 1.5  # for the sessions to leave
LAST_S = 1.5  # for what ends after them, twice for what tells Kafka a last time
END_S = 5.0  # after which the process ends in any case
_ASKED = (signal.SIGTERM, signal.SIGINT)


def end_on_signals(stop: Callable[[], None]) -> None:
    """On TERM or INT call `stop` in the running loop, and end END_S later at the latest.

    Call it from the main thread. A thread of its own hears the signal, even while the loop hangs;
    the end is the interpreter's, which says where each thread was and asks none of them.
    """
    loop = asyncio.get_running_loop()
    heard, told = os.pipe()
    os.set_blocking(told, False)

    def wait() -> None:
        os.read(heard, 1)
        faulthandler.dump_traceback_later(END_S, exit=True)
        with suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop)

    threading.Thread(target=wait, daemon=True, name="ending").start()
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for number in _ASKED:
        signal.signal(number, lambda *_: None)


async def within(seconds: float, *work: Awaitable[Any]) -> None:
    """Wait for work to end, at most so long; cancel what has not, without waiting for that.

    Its exceptions are its own affair: an end does not mend them.
    """
    tasks = [asyncio.ensure_future(one) for one in work]
    late = set(tasks)
    try:
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
    finally:
        for one in late:
            one.cancel()
    for one in late:
        LOG.warning("left_behind", what=repr(one)[:200])


def end_now(status: int) -> NoReturn:
    """End this process, and wait for none of its threads."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)

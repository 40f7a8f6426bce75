"""Work in a forked process of its own, with bounds of time and memory: its answer, or how it ended.

For strategies, which are anybody's code: one that kills its process, does not end or eats memory
costs its fork and nothing else. Whatever a strategy leaves in memory disappears with the fork.
"""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mela.outcome import Status

ASK_S = 0.5  # how often a waiting parent looks whether the scene was cancelled
PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a run that gave no answer: its status, and an error as class and sentence."""

    status: Status
    error: tuple[str, str]


def apart(
    work: Callable[[], bytes],
    *,
    limit_s: float,
    memory_bytes: int,
    is_unwanted: Callable[[], bool],
) -> bytes | Ended:
    """Do work in a forked process of its own; return its bytes, or how it ended.

    memory_bytes: what it may allocate beyond what this process has mapped already
    is_unwanted: asked now and then; once true the process is ended
    """
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        _work_and_leave(work, sending, memory_bytes)
    os.close(sending)
    ending = os.pidfd_open(child)
    found: bytes | Ended = Ended(Status.FAILED, ("ProcessDied", "nobody waited for its answer"))
    try:
        found = _read(receiving, ending, time.monotonic() + limit_s, limit_s, is_unwanted)
    finally:
        os.close(receiving)
        os.close(ending)
        if isinstance(found, Ended):
            os.kill(child, signal.SIGKILL)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)  # what it has forked itself
        status = os.waitpid(child, 0)[1]
    return found if isinstance(found, Ended) else _answer_or_end(found, status, memory_bytes)


def _read(
    receiving: int, ending: int, deadline: float, limit_s: float, is_unwanted: Callable[[], bool]
) -> bytes | Ended:
    """Return what a child writes until it ends, or why nobody waits any longer.

    ending: readable once the child has ended; what it has forked may keep its pipe open
    """
    parts: list[bytes] = []
    while True:
        wait = min(ASK_S, max(deadline - time.monotonic(), 0.0))
        ready = select.select([receiving, ending], [], [], wait)[0]
        if receiving in ready:
            part = os.read(receiving, PIECE)
            if not part:
                return b"".join(parts)
            parts.append(part)
        elif ready:
            return b"".join(parts)
        elif time.monotonic() >= deadline:
            return Ended(Status.TIMED_OUT, ("TimeLimit", f"it ran for more than {limit_s:g} s"))
        elif is_unwanted():
            return Ended(Status.CANCELLED, ("Cancelled", "its scene was cancelled"))


DONE, NO_MEMORY = b"d", b"m"


def _work_and_leave(work: Callable[[], bytes], sending: int, memory_bytes: int) -> None:
    """Do the work in the child, write its answer, and leave without what a process does at exit."""
    os.setsid()  # a group of its own, which ends as a whole
    gc.freeze()  # else the collector visits, and so copies, what the parent holds
    try:
        mapped = mapped_bytes()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory_bytes, mapped + memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        answer = DONE + work()
    except MemoryError:
        answer = NO_MEMORY
    except BaseException:  # noqa: BLE001  the parent says that no answer came
        os._exit(1)
    view = memoryview(answer)
    while view:
        view = view[os.write(sending, view) :]
    os._exit(0)


def _answer_or_end(answer: bytes, status: int, memory_bytes: int) -> bytes | Ended:
    code = os.waitstatus_to_exitcode(status)
    if answer[:1] == DONE and code == 0:
        return answer[1:]
    if answer[:1] == NO_MEMORY:
        sentence = f"it asked for more than {memory_bytes / 2**20:,.0f} MB"
        return Ended(Status.OUT_OF_MEMORY, ("MemoryLimit", sentence))
    how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"
    return Ended(
        Status.FAILED, ("ProcessDied", f"its process ended {how} before it gave an answer")
    )


def mapped_bytes() -> int:
    """Return how many bytes of addresses this process has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()

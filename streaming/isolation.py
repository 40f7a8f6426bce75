"""Runs that may kill their process: found by marks that survive it, then executed in one each.

A worker executes runs in its own process, which is quick. Before each chunk it leaves a mark in
the warehouse, and takes it away when the chunk is done or an error went up. A mark that is still
there when the chunk comes again says that a process died over it: lack of memory, a crash in
compiled code, a strategy that ended its interpreter, or one that ran beyond its time, which the
kernel's timer kills. Such a chunk is executed run by run, each in a forked process
(`backtests.forked_process`), so that exactly the run that kills ends with the reason.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, TypeVar

from backtests.forked_process import mapped_bytes
from mela.settings import Settings
from streaming.killing_timer import KillingTimer
from warehouse.database import transaction
from warehouse.scenes import chunk_marks

A = TypeVar("A")
TOGETHER_S = 0.05


class Marks:
    """The marks of one worker's chunks. A context: its end takes away the marks of what is done.

    A mark stays only where this process dies. It is in the warehouse, so that a worker on another
    machine knows of it when the chunk comes there. If the warehouse goes away meanwhile the mark
    stays too, and costs that chunk a process for each run.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._done: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._take_away(self._done)

    @contextmanager
    def on(self, chunks: Collection[str]) -> Generator[set[str]]:
        """Mark chunks while they are executed; give those over which a process died before.

        The same statement takes away the marks of the chunks before: a worker that dies between
        the two costs them a process for each run, as if they had killed it.
        """
        done, self._done = self._done, set()
        with transaction(self._settings) as connection:
            died = chunk_marks.move(connection, done, chunks)
        try:
            yield died
        except Exception:  # the batch comes again; a chunk that is known to kill stays known
            self._take_away(set(chunks) - died)
            raise
        self._done = set(chunks)

    def _take_away(self, chunks: Collection[str]) -> None:
        if chunks:
            with transaction(self._settings) as connection:
                chunk_marks.move(connection, chunks, ())


def alarmed(items: Iterator[A], limit_s: float, memory_bytes: int | None = None) -> Generator[A]:
    """Yield items; where one takes longer than the limit the kernel kills this process.

    memory_bytes: what all items may allocate beyond what this process has mapped; MemoryError is
        raised in them where they need more. None: no bound
    The timer needs no cooperation: neither a loop in Python nor one in C can swallow it, and no
    handler of signals that a strategy leaves behind. It is set for all items that begin within
    TOGETHER_S, which cost less than setting it, so that an item may take that much longer. It
    rests while the caller works on what was yielded, and so does the bound of memory: the client of
    Kafka ends a process that gives it none.
    """
    timer, is_whole = KillingTimer.of_process(), False
    most = None if memory_bytes is None else mapped_bytes() + memory_bytes
    while not is_whole:
        ready: list[A] = []
        ends_at = time.monotonic() + TOGETHER_S
        timer.start(limit_s + TOGETHER_S)
        _bound_memory(most)
        try:
            for item in items:
                ready.append(item)
                if time.monotonic() > ends_at:
                    break
            else:
                is_whole = True
        except Exception:
            _rest(timer)
            yield from ready  # what came before the error holds
            raise
        finally:
            _rest(timer)
        yield from ready


def _rest(timer: KillingTimer) -> None:
    timer.stop()
    _bound_memory(None)


def _bound_memory(most: int | None) -> None:
    """Let this process map so many bytes at most; None: as many as it ever may."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = hard if most is None or 0 <= hard < most else most
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def end_children() -> None:
    """Kill the processes that this one has forked: strategies may, and the worker never does."""
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text(encoding="ascii").split():
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(int(child), signal.SIGKILL)
                os.waitpid(int(child), 0)

"""Runs that may kill their process: found by marks that survive it, then executed in one each.

A worker executes runs in its own process, which is quick. Before each chunk it leaves a mark in
the warehouse, and takes it away when the chunk is done or an error went up. A mark that is still
there when the chunk comes again says that a process died over it: lack of memory, a crash in
compiled code, a strategy that ended its interpreter, or one that ran beyond its time, which the
kernel's timer kills. Such a chunk is executed run by run, each in a forked process
(`backtests.forked`), so that exactly the run that kills ends with the reason.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from mela.settings import Settings
from streaming.killing_timer import KillingTimer
from warehouse.database import transaction
from warehouse.scenes import chunk_marks

A = TypeVar("A")


@contextmanager
def marked(settings: Settings, chunks: Collection[str]) -> Generator[set[str]]:
    """Mark chunks while they are executed; give those over which a process died before.

    A mark stays only where this process dies. It is in the warehouse, so that a worker on another
    machine knows of it when the chunk comes there. If the warehouse goes away meanwhile the mark
    stays too, and costs that chunk a process for each run.
    """
    with transaction(settings) as connection:
        died = chunk_marks.add(connection, chunks)
    try:
        yield died
    except Exception:  # the batch comes again; a chunk that is known to kill stays known
        _unmark(settings, set(chunks) - died)
        raise
    _unmark(settings, chunks)


def _unmark(settings: Settings, chunks: Collection[str]) -> None:
    if chunks:
        with transaction(settings) as connection:
            chunk_marks.remove(connection, chunks)


def alarmed(items: Iterator[A], limit_s: float) -> Iterator[A]:
    """Yield items; where one takes longer than the limit the kernel kills this process.

    The timer needs no cooperation: neither a loop in Python nor one in C can swallow it, and no
    handler of signals that a strategy leaves behind.
    """
    timer = KillingTimer.of_process()
    while True:
        timer.start(limit_s)
        try:
            item = next(items)
        except StopIteration:
            return
        finally:
            timer.stop()
        yield item


def end_children() -> None:
    """Kill the processes that this one has forked: strategies may, and the worker never does."""
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text(encoding="ascii").split():
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(int(child), signal.SIGKILL)
                os.waitpid(int(child), 0)

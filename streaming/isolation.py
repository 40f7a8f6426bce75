"""Runs that may kill their process: found by marks that survive it, then executed in one each.

A worker executes runs in its own process, which is quick. Before each chunk it leaves a mark on
disk, and takes it away when the chunk is done or an error went up. A mark that is still there when
the chunk comes again says that a process died over it: lack of memory, a crash in compiled code, a
strategy that ended its interpreter, or one that ran beyond its time, which the kernel's alarm ends.
Such a chunk is executed run by run, each in a forked process (`backtests.forked`), so that exactly
the run that kills ends with the reason.
"""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

A = TypeVar("A")


@contextmanager
def marked(folder: Path, chunk: str) -> Generator[bool]:
    """Mark a chunk while it is executed; give whether a process died over it before.

    The mark stays only where this process dies. It is written without syncing the disk: it need not
    survive the machine, only the process.
    """
    mark = folder / hashlib.sha256(chunk.encode()).hexdigest()[:32]
    died = mark.exists()
    if not died:
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
    try:
        yield died
    except Exception:
        if not died:  # the batch comes again; a chunk that is known to kill stays known
            mark.unlink(missing_ok=True)
        raise
    mark.unlink(missing_ok=True)


def alarmed(items: Iterator[A], limit_s: float) -> Iterator[A]:
    """Yield items; where one takes longer than the limit the kernel ends this process.

    The alarm needs no cooperation: neither a loop in Python nor one in C can swallow it.
    """
    if signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    while True:
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        try:
            item = next(items)
        except StopIteration:
            return
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        yield item

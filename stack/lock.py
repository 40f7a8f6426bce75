"""A lock across processes, released when its holder dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from mela.errors import StackFailed

_POLL_S = 0.2


@contextmanager
def locked(
    path: Path, wait_s: float, on_wait: Callable[[], None] = lambda: None
) -> Generator[None]:
    """Hold the lock at `path`; call `on_wait` once if another process holds it.

    Raises StackFailed if it is still held after `wait_s` seconds.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a") as handle:
        _acquire(handle.fileno(), path, wait_s, on_wait)
        yield  # closing the file lets go


def _acquire(descriptor: int, path: Path, wait_s: float, on_wait: Callable[[], None]) -> None:
    deadline = time.monotonic() + wait_s
    has_waited = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StackFailed(
                    f"another process has held {path} for {wait_s:.0f} s; "
                    "wait for the `mela up` or `mela down` that runs elsewhere, then try again"
                ) from None
            if not has_waited:
                on_wait()
                has_waited = True
            time.sleep(_POLL_S)
        else:
            return

"""Find and end every process of one stack, whatever its parent is now.

Processes are identified by the inherited variables MELA_STACK and MELA_SERVICE. Postgres overwrites
its environment with its title, so its processes are identified by their working directory.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import structlog

MARKER = "MELA_STACK"
SERVICE = "MELA_SERVICE"
_log = structlog.get_logger(__name__)


def is_ours(pid: int, marker: str) -> bool:
    """Tell whether the process belongs to the stack whose home is `marker`."""
    try:
        return _belongs(psutil.Process(pid), marker)
    except psutil.NoSuchProcess:
        return False


def processes(home: Path, service: str | None = None) -> list[psutil.Process]:
    """Return the live processes of this home's stack, or of one service of it.

    Excludes this process and its ancestors.
    """
    excluded = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        found
        for found in psutil.process_iter()
        if found.pid not in excluded and _lives(found, home, service)
    ]


def service_of(process: psutil.Process, home: Path) -> str | None:
    """Return the service of this home's stack that a process belongs to; None for another's."""
    if not _lives(process, home, None):
        return None
    try:
        return process.environ().get(SERVICE) or (
            "postgres" if process.name() == "postgres" else None
        )
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return None


def sweep(home: Path, service: str | None = None, grace_s: float = 8.0) -> int:
    """End the remaining processes of this home's stack, or of one service; return their number."""
    left = processes(home, service)
    for process in left:
        _signal(process, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(left, timeout=grace_s)
    for _ in range(3):  # a dying parent may still have started children
        stubborn = [*stubborn, *processes(home, service)]
        if not stubborn:
            break
        for process in stubborn:
            _signal(process, signal.SIGKILL)
        psutil.wait_procs(stubborn, timeout=grace_s)
        stubborn = []
    if left:
        _log.info("processes swept", home=str(home), count=len(left))
    return len(left)


def _lives(process: psutil.Process, home: Path, service: str | None) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and _belongs(process, str(home), service)
    except psutil.NoSuchProcess:
        return False


def _belongs(process: psutil.Process, marker: str, service: str | None = None) -> bool:
    try:
        environment = process.environ()
        if environment.get(MARKER) == marker:
            return service is None or environment.get(SERVICE) == service
        data = str(Path(marker, "postgres", "data"))
        is_postgres = process.name() == "postgres" and process.cwd() == data
    except (psutil.AccessDenied, psutil.ZombieProcess):
        return False  # another user's, or already gone
    return is_postgres and service in (None, "postgres")


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        if number == signal.SIGTERM and process.name() == "postgres":
            number = signal.SIGINT  # on TERM, Postgres waits until all clients have left
        process.send_signal(number)
    except psutil.NoSuchProcess:
        _log.debug("process had already ended", pid=process.pid)

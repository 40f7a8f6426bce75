"""Measure the memory and processor time of each service's processes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from stack.sweep import service_of

WORKERS = "spark's workers"


@dataclass(frozen=True, slots=True)
class Used:
    """Memory and processor time of one service's processes now.

    cpu_s: of those that live, since they started.
    """

    processes: int
    cpu_s: float
    memory_bytes: int


class Usage:
    """Adds up what the processes of a stack use, service by service.

    A process is asked once for whose it is, which costs more than everything else. Spark's Python
    workers count in their service, and once more under `WORKERS`.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._known: dict[tuple[int, float], tuple[str, ...]] = {}
        self._lock = threading.Lock()
        self.found: dict[str, Used] = {}

    def look(self) -> Mapping[str, Used]:
        """Return and keep what each service uses now."""
        with self._lock:
            known: dict[tuple[int, float], tuple[str, ...]] = {}
            sums: dict[str, Used] = {}
            for process in psutil.process_iter():
                try:
                    key = (process.pid, process.create_time())
                    names = self._known[key] if key in self._known else self._names(process)
                    known[key] = names
                    if not names:
                        continue
                    times, memory = process.cpu_times(), process.memory_info().rss
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
                for name in names:
                    before = sums.get(name, Used(0, 0.0, 0))
                    sums[name] = Used(
                        before.processes + 1,
                        before.cpu_s + times.user + times.system,
                        before.memory_bytes + memory,
                    )
            self._known, self.found = known, sums
            return sums

    def _names(self, process: psutil.Process) -> tuple[str, ...]:
        name = service_of(process, self.home)
        if name is None:
            return ()
        is_worker = name.startswith("spark") and "streaming.daemon" in process.cmdline()
        return (name, WORKERS) if is_worker else (name,)

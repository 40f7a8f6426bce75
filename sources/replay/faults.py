"""Trouble on demand, so that tests can show what a client does about it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from sources.replay.answer import Answer

BANNED = '{"code":-1003,"msg":"Too much request weight used; current limit is 6000 per 1 MINUTE."}'


@dataclass(frozen=True, slots=True)
class Fault:
    """Answer wrongly to the first `times` requests of a path, after the first `after` ones.

    status: the HTTP status of the wrong answer; None cuts the connection without any
    """

    path: str
    status: int | None
    times: int = 1
    after: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: str = BANNED


class Faults:
    """Count requests, and say which of them go wrong."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = list(faults)
        self._seen = [0] * len(self._faults)
        self._lock = threading.Lock()

    def next(self, path: str) -> Fault | None:
        """Return the fault that this request meets, if any."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                if not path.startswith(fault.path):
                    continue
                self._seen[index] += 1
                if fault.after < self._seen[index] <= fault.after + fault.times:
                    return fault
        return None


def answer_of(fault: Fault) -> Answer:
    """Return a fault's answer."""
    return Answer(fault.status or 500, fault.body.encode(), headers=dict(fault.headers))

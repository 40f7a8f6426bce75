"""Faults on demand, so that tests can show how a client handles them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from time import sleep

from replay.answer import Answer

BANNED = '{"code":-1003,"msg":"Too much request weight used; current limit is 6000 per 1 MINUTE."}'


@dataclass(frozen=True, slots=True)
class Fault:
    """A wrong answer to the first `times` requests of a path, after `after` correct ones.

    path: a prefix of the path, or a pattern with * for the whole path
    status: the HTTP status of the wrong answer, sent with `body`; None cuts the connection; 200
        sends the true answer, delayed, cut or corrupted as the fields below say
    delay_s: how long the request is held before it is carried out; with is_done, its answer
    cut_after: hang up after this many bytes of the body, although its full length was announced
    spoiled: change the first byte of the true body, so that its checksum fails
    method: the only HTTP method that it meets; * for all
    is_done: carry out what was asked before the wrong answer is given, or none (status null), or
        the true one after delay_s: the client cannot know that its order stands
    """

    path: str
    status: int | None
    times: int = 1
    after: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: str = BANNED
    delay_s: float = 0.0
    cut_after: int | None = None
    spoiled: bool = False
    method: str = "*"
    is_done: bool = False

    def meets(self, path: str, method: str = "GET") -> bool:
        """Tell whether the fault applies to a request."""
        if self.method not in ("*", method):
            return False
        return fnmatchcase(path, self.path) if "*" in self.path else path.startswith(self.path)


class Faults:
    """Count requests and choose which of them fail."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = list(faults)
        self._seen = [0] * len(self._faults)
        self._lock = threading.Lock()
        self._held = 0

    @property
    def held(self) -> int:
        """Return how many requests were held so far, whose clients wait or have gone."""
        return self._held

    def hold(self, fault: Fault) -> None:
        """Hold a request, or its answer, for as long as a fault says."""
        if fault.delay_s:
            with self._lock:
                self._held += 1
            sleep(fault.delay_s)

    def next(self, path: str, method: str = "GET") -> Fault | None:
        """Return the first fault that applies to this request; None if there is none."""
        found: Fault | None = None
        with self._lock:
            for index, fault in enumerate(self._faults):
                if not fault.meets(path, method):
                    continue
                self._seen[index] += 1
                if fault.after < self._seen[index] <= fault.after + fault.times:
                    found = found or fault
        return found

    def add(self, fault: Fault) -> None:
        """Add a fault that counts requests from now on."""
        with self._lock:
            self._faults.append(fault)
            self._seen.append(0)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()
            self._seen.clear()


def answer_of(fault: Fault) -> Answer:
    """Return the wrong answer that a fault describes."""
    return Answer(fault.status or 500, fault.body.encode(), headers=dict(fault.headers))


def corrupt(answer: Answer) -> Answer:
    """Return the answer with a different body of the same length.

    >>> corrupt(Answer(200, b"5b93  BTCUSDT.zip")).body
    b'4b93  BTCUSDT.zip'
    """
    return replace(answer, body=bytes([answer.body[0] ^ 1]) + answer.body[1:])

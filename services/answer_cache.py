"""Answers about scenes that have ended, kept for a while: many look at the same ones.

The caller must check first that the scene may be seen, because answers are kept for all.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class KeptAnswers(Generic[T]):
    """The answers that were asked for last, at most `most` of them, each for `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        """Keep nothing yet."""
        self._most = most
        self._seconds = seconds
        self._kept: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()
        self._computing: dict[Hashable, threading.Lock] = {}

    def of(self, key: Hashable | None, compute: Callable[[], T]) -> T:
        """Return a kept answer, or compute it. If several ask at once, one computes.

        key: None for what may change and is not kept
        """
        if key is None:
            return compute()
        if (kept := self._get(key)) is not None:
            return kept[0]
        with self._lock:
            computing = self._computing.setdefault(key, threading.Lock())
        with computing:
            if (kept := self._get(key)) is not None:
                return kept[0]
            try:
                found = compute()
                self._put(key, found)
            finally:
                with self._lock:
                    self._computing.pop(key, None)
        return found

    def _get(self, key: Hashable) -> tuple[T] | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or time.monotonic() >= kept[0]:
                return None
            self._kept.move_to_end(key)
            return (kept[1],)

    def _put(self, key: Hashable, found: T) -> None:
        with self._lock:
            self._kept[key] = time.monotonic() + self._seconds, found
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

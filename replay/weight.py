"""Binance's limit on request weight: a budget per minute, then 429, then a ban."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import time

from replay.answer import Answer, as_json

LIMIT = 6000
_MINUTE_S = 60
_BAN_S = 120
_PATIENCE = 20  # refusals in one minute before the ban


class Weight:
    """Count this minute's request weight on the real clock, not on the replayed one."""

    def __init__(self, limit: int = LIMIT, clock: Callable[[], float] = time) -> None:
        self.limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._used = 0
        self._refused = 0
        self._banned_until = 0.0

    def spend(self, weight: int) -> tuple[int, Answer | None]:
        """Return the weight used in this minute, and a refusal if it exceeds the limit."""
        with self._lock:
            now = self._clock()
            if now < self._banned_until:
                return self._used, self._banned(now)
            if int(now // _MINUTE_S) != self._minute:
                self._minute, self._used, self._refused = int(now // _MINUTE_S), 0, 0
            self._used += weight
            if self._used <= self.limit:
                return self._used, None
            self._refused += 1
            if self._refused > _PATIENCE:
                self._banned_until = now + _BAN_S
                return self._used, self._banned(now)
            return self._used, self._too_much(now)

    def _too_much(self, now: float) -> Answer:
        message = (
            f"Too much request weight used; current limit is {self.limit} request weight per 1 "
            "MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
        )
        wait_s = int(_MINUTE_S - now % _MINUTE_S) + 1
        return as_json({"code": -1003, "msg": message}, 429, {"Retry-After": str(wait_s)})

    def _banned(self, now: float) -> Answer:
        until_ms = int(self._banned_until * 1000)
        message = (
            f"Way too much request weight used; IP banned until {until_ms}. Please use WebSocket "
            "Streams for live updates to avoid bans."
        )
        wait_s = int(self._banned_until - now) + 1
        return as_json({"code": -1003, "msg": message}, 418, {"Retry-After": str(wait_s)})

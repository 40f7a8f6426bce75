"""Rate limits: a token bucket that all threads of the process share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep

from mela.errors import SourceUnavailable

_FOREVER_S = float("inf")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `burst` tokens at once, and `per_s` tokens per second in the long run.

    window_tokens: the service's own allowance per window; None if the service does not report its
        usage. If it counts by the minute, burst + 60 × per_s should not exceed this.
    """

    burst: float
    per_s: float
    window_tokens: float | None = None

    def __post_init__(self) -> None:
        """Reject a limit that would never let a request pass."""
        if self.burst <= 0 or self.per_s <= 0:
            raise ValueError(f"expected burst and per_s above 0, but found {self}")


class Bucket:
    """Tokens that requests take and that refill evenly. Thread-safe.

    clock, rest: a monotonic clock in seconds, and a sleep function; tests pass their own
    """

    def __init__(
        self,
        limit: Limit,
        clock: Callable[[], float] = monotonic,
        rest: Callable[[float], None] = sleep,
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._rest = rest
        self._lock = threading.Lock()
        self._tokens = float(limit.burst)
        self._filled_at = clock()
        self._paused_until = clock()

    def take(self, tokens: float = 1.0, longest_s: float = _FOREVER_S) -> None:
        """Wait until `tokens` are available, and take them.

        First come, first served: tokens are booked at once, and the wait follows. Raises
        SourceUnavailable immediately, without taking any, if the wait would exceed `longest_s`.
        """
        wait_s = self._book(tokens, longest_s)
        while wait_s > 0:
            self._rest(wait_s)
            wait_s = self.paused_s()  # the service may have asked for a pause meanwhile

    def pause(self, wait_s: float) -> None:
        """Let no request pass for `wait_s` seconds, because the service sent Retry-After."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + wait_s)

    def paused_s(self) -> float:
        """Return how many seconds the pause still lasts; 0 if there is none."""
        with self._lock:
            return max(0.0, self._paused_until - self._clock())

    def report_used(self, used: float) -> None:
        """Apply the usage that the service reports: others may ask from the same address."""
        if self._limit.window_tokens is None:
            return
        with self._lock:
            self._refill()
            left = max(0.0, self._limit.window_tokens - used)
            self._tokens = min(self._tokens, left)

    def _book(self, tokens: float, longest_s: float) -> float:
        with self._lock:
            self._refill()
            short_s = (min(tokens, self._limit.burst) - self._tokens) / self._limit.per_s
            wait_s = max(0.0, short_s, self._paused_until - self._clock())
            if wait_s > longest_s:
                raise SourceUnavailable(
                    f"The limit of requests allows the next one in {wait_s:.0f} s, which is longer "
                    f"than {longest_s:.0f} s; try later.",
                    wait_s,
                )
            self._tokens -= tokens
            return wait_s

    def _refill(self) -> None:
        now = self._clock()
        gained = (now - self._filled_at) * self._limit.per_s
        self._tokens = min(self._limit.burst, self._tokens + gained)
        self._filled_at = now

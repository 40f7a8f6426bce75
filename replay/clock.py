"""The clock of the replayed services: it stands still, or plays at some speed, or jumps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

SLOWEST, FASTEST = 0.01, 1000.0


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of the clock: its time at an instant of this machine, and its speed since then."""

    from_ms: int
    began_s: float
    speed: float
    until_ms: int | None = None

    def at(self, now_s: float) -> int:
        """Return the replayed time at an instant of this machine, in UTC milliseconds."""
        played = self.from_ms + int((now_s - self.began_s) * 1000 * self.speed)
        return played if self.until_ms is None else min(played, max(self.until_ms, self.from_ms))


class PlayClock:
    """A clock that all of a replay's answers follow. It stands still until `play`.

    plays: how often it was set, so that a stream sees that its place is no longer its place
    """

    def __init__(self, now_ms: int, machine: Callable[[], float] = monotonic) -> None:
        self._machine = machine
        self._lock = threading.Lock()
        self._pace = Pace(now_ms, machine(), 0.0)
        self.plays = 0

    def now_ms(self) -> int:
        """Return the replayed time, in UTC milliseconds."""
        return self._pace.at(self._machine())

    @property
    def speed(self) -> float:
        """Return how many seconds are played in one of this machine's; 0.0 if it stands still."""
        pace = self._pace
        is_over = pace.until_ms is not None and self.now_ms() >= pace.until_ms
        return 0.0 if is_over else pace.speed

    def play(self, from_ms: int | None, speed: float, until_ms: int | None = None) -> None:
        """Run from an instant on (None: from where it is), at 0.01 to 1000 times the real speed.

        until_ms: where it stops; None lets it run on, past the last candle too
        Raises ValueError for another speed.
        """
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"expected a speed of {SLOWEST} to {FASTEST:g}, but found {speed}")
        self._set(self.now_ms() if from_ms is None else from_ms, speed, until_ms)

    def pause(self) -> None:
        """Stand still from now on."""
        self._set(self.now_ms(), 0.0, None)

    def jump(self, by_ms: int) -> None:
        """Move the clock, forward or back, and go on as fast as before."""
        self._set(self.now_ms() + by_ms, self._pace.speed, self._pace.until_ms)

    def real_s(self, until_ms: int) -> float | None:
        """Return how many seconds of this machine pass until an instant; None if it never comes."""
        pace, now_ms = self._pace, self.now_ms()
        if now_ms >= until_ms:
            return 0.0
        never = pace.speed == 0.0 or (pace.until_ms is not None and pace.until_ms < until_ms)
        return None if never else (until_ms - now_ms) / 1000 / pace.speed

    def state(self) -> dict[str, Any]:
        """Return what `GET /replay/clock` tells."""
        now_ms, speed = self.now_ms(), self.speed
        return {
            "now_ms": now_ms,
            "speed": speed,
            "playing": speed > 0.0,
            "plays": self.plays,
            "until_ms": self._pace.until_ms,
        }

    def _set(self, from_ms: int, speed: float, until_ms: int | None) -> None:
        with self._lock:
            self._pace = Pace(from_ms, self._machine(), speed, until_ms)
            self.plays += 1

"""The clock that a session lives by: this machine's, or that of a replay."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic, time
from typing import Any, Protocol

import orjson
import requests
import structlog

from mela.errors import SourceUnavailable
from mela.settings import Settings

_TIMEOUT_S = 5.0
_JUMP_S = 2.0  # of this machine: less is the time that asking takes
_ASKING_S = 0.25  # what a look at a replay's clock may be wrong by
log = structlog.get_logger()


class Clock(Protocol):
    """The time of the markets, in UTC milliseconds, and how fast it passes."""

    def now_ms(self) -> int:
        """Return the time."""
        ...

    def real_s(self, span_ms: float) -> float | None:
        """Return how many seconds of this machine a span takes; None while time stands still."""
        ...

    def span_ms(self, real_s: float) -> float:
        """Return how many milliseconds pass in some seconds of this machine."""
        ...

    async def refresh(self) -> int:
        """Look whether the time is what it should be: return by how many ms it jumped, 0 if not."""
        ...


class WallClock:
    """This machine's clock."""

    def __init__(self) -> None:
        self._ahead_s = time() - monotonic()

    def now_ms(self) -> int:
        """Return the time."""
        return int(time() * 1000)

    def real_s(self, span_ms: float) -> float | None:
        """Return the span in seconds."""
        return span_ms / 1000

    def span_ms(self, real_s: float) -> float:
        """Return the seconds in milliseconds."""
        return real_s * 1000

    async def refresh(self) -> int:
        """Return by how much somebody set this machine's clock since the last look."""
        ahead_s = time() - monotonic()
        jump_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        return int(jump_s * 1000) if abs(jump_s) > _JUMP_S else 0


@dataclass(frozen=True, slots=True)
class _Look:
    at_s: float
    now_ms: int
    speed: float
    plays: int
    until_ms: int | None


class ReplayClock:
    """The clock of a `mela replay`, asked now and then and continued in between.

    Raises SourceUnavailable where the replay does not answer the first time.
    """

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/replay/clock"
        self._look = self._ask()

    def now_ms(self) -> int:
        """Return the replayed time."""
        return self._at(monotonic())

    def real_s(self, span_ms: float) -> float | None:
        """Return how long a span is played; None while the replay stands still."""
        speed = self._look.speed
        return span_ms / 1000 / speed if speed > 0 else None

    def span_ms(self, real_s: float) -> float:
        """Return what is played in some seconds of this machine."""
        return real_s * 1000 * self._look.speed

    async def refresh(self) -> int:
        """Ask the replay again. While it does not answer, the clock runs on as it did."""
        try:
            look = await asyncio.to_thread(self._ask)
        except SourceUnavailable as error:
            log.debug("replay_clock_unanswered", reason=str(error))
            return 0
        before = self._look
        jump_ms = look.now_ms - self._at(look.at_s)
        self._look = look
        is_set = look.plays != before.plays
        is_far = abs(jump_ms) > max(self.span_ms(_ASKING_S), _JUMP_S * 1000)
        return jump_ms if is_set and is_far else 0

    def _at(self, at_s: float) -> int:
        look = self._look
        played = look.now_ms + int((at_s - look.at_s) * 1000 * look.speed)
        return played if look.until_ms is None else min(played, max(look.until_ms, look.now_ms))

    def _ask(self) -> _Look:
        began_s = monotonic()
        try:
            answer = requests.get(self._url, timeout=_TIMEOUT_S)
            answer.raise_for_status()
            found: dict[str, Any] = orjson.loads(answer.content)
        except (requests.RequestException, ValueError) as error:
            raise SourceUnavailable(
                f"the replay did not tell its clock at {self._url}: {error}."
            ) from error
        at_s = (began_s + monotonic()) / 2
        now_ms, speed, plays = int(found["now_ms"]), float(found["speed"]), int(found["plays"])
        return _Look(at_s, now_ms, speed, plays, found["until_ms"])


def clock_of(settings: Settings) -> Clock:
    """Return the clock that sessions live by: the replay's where one is set."""
    return ReplayClock(settings.replay_url) if settings.replay_url else WallClock()

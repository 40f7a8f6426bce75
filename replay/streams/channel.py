"""One client's stream: what it asked for, what it is told, and what disturbs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from time import monotonic

import structlog

from mela.interval import Interval
from replay.clock import PlayClock
from replay.streams.disturbances import Disturbance, Disturbances
from replay.streams.socket import SocketGone, WebSocket
from replay.streams.tape import Candle, Tape

LONGEST_WAIT_S = 0.05  # orders to cut or to be mute are obeyed within this time
_RESTATED_BY = 1.001
log = structlog.get_logger()


@dataclass(slots=True)
class Place:
    """The place of a subscription on the tape: candles that closed up to here were sent."""

    symbol: str
    interval: Interval
    at_ms: int


@dataclass(slots=True)
class _Held:
    late: list[tuple[float, Candle]] = field(default_factory=list[tuple[float, Candle]])
    swapped: Candle | None = None


class Channel(ABC):
    """A stream of one service to one client, in a thread of its own."""

    stream = ""

    def __init__(
        self, socket: WebSocket, clock: PlayClock, tape: Tape, disturbances: Disturbances
    ) -> None:
        self.socket = socket
        self.clock = clock
        self.tape = tape
        self._disturbances = disturbances
        self._places: dict[tuple[str, str], Place] = {}
        self._held = _Held()
        self._began_s = monotonic()
        self._plays = clock.plays
        self._changes = len(tape.changes)

    def greet(self) -> None:
        """Say what the service says before it is asked anything."""
        return

    @abstractmethod
    def hear(self, message: str | bytes) -> None:
        """Answer a message of the client."""

    @abstractmethod
    def tell(self, candles: list[Candle], *, corrects: bool = False) -> None:
        """Send closed candles; corrects: they were told before, otherwise."""

    def tell_more(self) -> None:
        """Send whatever else is due now."""
        return

    def flood(self, candle: Candle, messages: int) -> None:
        """Send many messages after a candle: the candle again, unless a service does otherwise."""
        for _ in range(messages):
            self.tell([candle])

    def leave(self) -> None:
        """Do what must be done when the client is gone."""
        return

    def serve(self) -> None:
        """Serve the client until it leaves or is cut."""
        try:
            self.greet()
            while True:
                for message in self.socket.receive(self._wait_s()):
                    self.hear(message)
                if self._disturbances.is_cut(self.stream, self._began_s):
                    self.socket.cut()
                    return
                self._advance()
        except SocketGone as gone:
            log.debug("stream_left", stream=self.stream, reason=str(gone))
        finally:
            self.leave()

    def subscribe(self, key: tuple[str, str], symbol: str, interval: Interval) -> None:
        """Tell candles of a symbol that close from now on."""
        self._places.setdefault(key, Place(symbol, interval, self.clock.now_ms()))

    def unsubscribe(self, key: tuple[str, str]) -> None:
        """Tell no more of them."""
        self._places.pop(key, None)

    @property
    def keys(self) -> Iterable[tuple[str, str]]:
        """Return what the client is subscribed to."""
        return list(self._places)

    @property
    def is_mute(self) -> bool:
        """Tell whether this connection says nothing now."""
        return self._disturbances.is_mute(self.stream, self._began_s)

    def _advance(self) -> None:
        now_ms = self.clock.now_ms()
        if self.clock.plays != self._plays:  # it was set or jumped: go on from where it is now
            self._plays = self.clock.plays
            for place in self._places.values():
                place.at_ms = min(place.at_ms, now_ms) if self._went_on(place, now_ms) else now_ms
        due: list[Candle] = []
        for place in list(self._places.values()):
            due += self.tape.closing(place.symbol, place.interval, place.at_ms, now_ms)
            place.at_ms = max(place.at_ms, now_ms)
        due.sort(key=lambda candle: candle.closed_ms)
        if self.is_mute:
            return
        calm: list[Candle] = []  # what closes at one time is told at once, as the services do
        for candle in due:
            kinds = self._disturbances.of(self.stream, candle.symbol)
            if kinds or self._held.swapped is not None:
                self._tell_some(calm)
                self._disturbed(candle, kinds)
            else:
                calm.append(candle)
        self._tell_some(calm)
        self._correct(now_ms)
        self._release()
        self.tell_more()

    def _went_on(self, place: Place, now_ms: int) -> bool:
        """Tell whether the clock only changed its speed; what a jump skipped is never told."""
        return 0 <= now_ms - place.at_ms <= (place.interval.fixed_ms or 0) * 2

    def _tell_some(self, candles: list[Candle]) -> None:
        if candles:
            self.tell(candles)
            candles.clear()

    def _disturbed(self, candle: Candle, kinds: dict[str, Disturbance]) -> None:
        if "gap" in kinds:
            return
        if late := kinds.get("late"):
            self._held.late.append((monotonic() + late.seconds, candle))
            return
        if "out_of_order" in kinds and self._held.swapped is None:
            self._held.swapped = candle
            return
        if "restated" in kinds:
            wrong = candle.close * _RESTATED_BY
            high, low = max(candle.high, wrong), min(candle.low, wrong)
            self.tell([replace(candle, close=wrong, high=high, low=low, volume=candle.volume / 2)])
            self.tell([candle], corrects=True)
        else:
            self.tell([candle])
        if "doubled" in kinds:
            self.tell([candle])
        if storm := kinds.get("storm"):
            self.flood(candle, storm.messages)
        if self._held.swapped is not None:
            swapped, self._held.swapped = self._held.swapped, None
            self.tell([swapped])

    def _correct(self, now_ms: int) -> None:
        """Tell what was restated of the candles that closed before."""
        changes, self._changes = self.tape.changes[self._changes :], len(self.tape.changes)
        for symbol, word, opened_ms in changes:
            for place in self._places.values():
                if (place.symbol, place.interval.value) == (symbol, word):
                    end_ms = place.interval.end_ms(opened_ms)
                    if end_ms <= now_ms:
                        again = self.tape.closing(symbol, place.interval, end_ms - 1, end_ms)
                        self.tell(again, corrects=True)

    def _release(self) -> None:
        now_s = monotonic()
        due = [candle for at_s, candle in self._held.late if at_s <= now_s]
        self._held.late = [(at_s, candle) for at_s, candle in self._held.late if at_s > now_s]
        for candle in due:
            self.tell([candle])

    def _wait_s(self) -> float:
        if self._held.late:
            return 0.01
        waits = [LONGEST_WAIT_S]
        for place in self._places.values():
            close_ms = self.tape.next_close_ms(place.symbol, place.interval, place.at_ms)
            wait_s = None if close_ms is None else self.clock.real_s(close_ms)
            if wait_s is not None:
                waits.append(wait_s)
        return max(min(waits), 0.001)

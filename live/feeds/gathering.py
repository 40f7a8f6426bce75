"""Gather a feed's candles from messages and REST: each series in order, none waiting for another.

A series that misses something asks REST, and what its stream brings meanwhile waits behind the
answer. The others go on. Time in which this process was too busy to listen counts for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Protocol, get_args

import structlog

from live.clock import Clock
from live.events import CandleClosed
from live.feeds.ledger import Ledger
from live.feeds.protocol import Listening, NoticeKind
from live.feeds.rest import RestCandles
from mela.errors import SourceRefused, SourceUnavailable
from mela.interval import DAY_MS, HOUR_MS, MINUTE_MS, Interval
from mela.risk_limits import SessionHours

LOOK_S = 0.05  # how often it is looked at what is due, however many messages come
_QUIET_MOST = 16  # a quiet series is asked for after at most so many of its candles
STALE_SHARE = 0.1  # of a candle's length
_STRIKES = 3  # candles in a row that only REST had, while others came: the subscription is lost
_REFUSED_MS = 10 * MINUTE_MS
_DAYS = tuple(each.fixed_ms for each in Interval if (each.fixed_ms or 0) >= DAY_MS)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """The waits of a feed, in seconds of this machine.

    first_s, longest_s: pauses between attempts to connect; they double, with jitter
    open_s: for a connection to stand; grace_s: for a candle after its close
    silence_s: for any message, of services that always talk; None for others
    stale_s: after its close a candle is heard of too late to enter on it; of long candles, a tenth
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    open_s: float = 15.0
    grace_s: float = 10.0
    silence_s: float | None = None
    stale_s: float = 60.0


@dataclass(slots=True)
class Series:
    """A series as the feed keeps it. by_rest: the connection does not bring it.

    ask_at_ms: it is not asked for before, by the market's clock
    asked_to_ms: what REST did not have before this instant does not exist
    recheck_ms: candles from here on are asked for again; heard_s: when the stream brought one
    """

    ledger: Ledger
    by_rest: bool
    ask_at_ms: int = 0
    asked_to_ms: int = 0
    quiet: int = 0
    strikes: int = 0
    recheck_ms: int | None = None
    heard_s: float = 0.0
    asking: asyncio.Task[None] | None = None
    waiting: list[CandleClosed] = field(default_factory=list[CandleClosed])


class Noting(Protocol):
    """The callback for events that are no candles."""

    def __call__(
        self, kind: NoticeKind, text: str, *, is_alarm: bool = False, candles: int = 0
    ) -> None:
        """Tell it."""
        ...


class Mute(Exception):
    """The connection stands and does not bring what the service has."""


class Gathering:
    """All series of a feed. give: takes each candle, once and in order of its series.

    minutes: the connection brings minutes, after which longer candles are asked for
    """

    def __init__(
        self,
        series: Mapping[Listening, Series],
        rest: RestCandles,
        clock: Clock,
        patience: Patience,
        give: Callable[[CandleClosed], None],
        note: Noting,
        *,
        minutes: bool,
    ) -> None:
        self._series = dict(series)
        self._rest = rest
        self._clock = clock
        self._patience = patience
        self._out = give
        self._note = note
        self._minutes = minutes
        self._alive_s = 0.0  # seconds in which this process listened
        self._looked_s = monotonic()
        self._heard_s = 0.0
        self._mute: Mute | None = None
        self.gave = 0

    def connected(self) -> None:
        """Begin with a new connection: nothing of it is late yet."""
        self._mute = None
        self._looked_s = monotonic()
        self.heard()
        for series in self._series.values():
            series.strikes, series.heard_s = 0, self._alive_s

    async def disconnected(self) -> None:
        """Ask for nothing more until the next connection, which asks anew."""
        tasks = [series.asking for series in self._series.values() if series.asking is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for series in self._series.values():
            series.asking = None
            series.waiting.clear()

    async def catch_up(self) -> None:
        """Ask for all that was missed, side by side, and say when it was given."""
        before, now_ms = self.gave, self._clock.now_ms()
        for series in self._series.values():
            if now_ms >= series.ledger.next_close_ms() or series.recheck_ms is not None:
                self._ask(series, now_ms + 1)
        tasks = [series.asking for series in self._series.values() if series.asking is not None]
        await asyncio.gather(*tasks)
        many = self.gave - before
        self._note("caught_up", f"{many} candles came while REST was asked", candles=many)

    def heard(self) -> None:
        """Count a message, whatever it said."""
        self._heard_s = self._alive_s

    def offer(self, candle: CandleClosed, *, corrects: bool) -> None:
        """Take a candle of the stream."""
        if self._minutes and candle.interval is Interval.M1:
            self._minute_passed(candle, corrects=corrects)
        for hours in get_args(SessionHours):
            series = self._series.get(Listening(candle.instrument, candle.interval, hours))
            if series is not None and not series.by_rest:
                series.heard_s, series.strikes = self._alive_s, 0
                self._take(series, candle)

    def look(self) -> None:
        """Ask for what is due. Raises Mute if the connection is."""
        late_s = monotonic() - self._looked_s
        if late_s < LOOK_S:
            return
        self._looked_s += late_s
        self._alive_s += min(late_s, 2 * LOOK_S)
        if self._mute is not None:
            raise self._mute
        limit_s, silent_s = self._patience.silence_s, self._alive_s - self._heard_s
        if limit_s is not None and silent_s > limit_s and self._clock.real_s(1.0) is not None:
            raise Mute(f"connected, but nothing was heard for {silent_s:.0f} s")
        now_ms = self._clock.now_ms()
        for series in self._series.values():
            if series.asking is None and now_ms >= self._due_ms(series) and self._waited(series):
                self._ask(series, now_ms + 1, is_due=True)

    def _take(self, series: Series, candle: CandleClosed) -> None:
        if series.asking is not None:
            series.waiting.append(candle)
            return
        verdict = series.ledger.judge(candle)
        if verdict == "gap" and series.asked_to_ms < candle.opened_ms:
            series.waiting.append(candle)
            self._ask(series, candle.opened_ms)
        elif verdict in ("next", "gap", "restated"):
            series.quiet = 0
            self._give(series, candle)

    def _minute_passed(self, minute: CandleClosed, *, corrects: bool) -> None:
        """Ask for a longer candle as soon as its last minute came, and again if one changed."""
        end_ms = minute.opened_ms + MINUTE_MS
        for listening, series in self._series.items():
            if listening.instrument != minute.instrument or not series.by_rest:
                continue
            if end_ms >= series.ledger.next_close_ms():
                series.ask_at_ms, series.quiet = 0, -1  # now, without its grace
            elif corrects and minute.opened_ms < series.ledger.wanted_ms:
                begins_ms = minute.opened_ms - (listening.interval.fixed_ms or DAY_MS) + 1
                series.recheck_ms = min(series.recheck_ms or begins_ms, begins_ms)

    def _due_ms(self, series: Series) -> float:
        """Return when a series is asked for: its next close, a grace, and what quiet adds."""
        if series.recheck_ms is not None:
            return 0.0
        grace_ms = 0.0 if series.quiet < 0 else self._clock.span_ms(self._patience.grace_s)
        if series.ledger.listening.interval.fixed_ms in (None, *_DAYS):
            grace_ms = max(grace_ms, MINUTE_MS)  # a day's last trades are reported late
        return max(series.ledger.next_close_ms() + grace_ms, series.ask_at_ms)

    def _waited(self, series: Series) -> bool:
        """Tell whether this process listened for the grace, as a busy one is behind its stream."""
        return series.by_rest or self._alive_s - series.heard_s >= self._patience.grace_s

    def _ask(self, series: Series, to_ms: int, *, is_due: bool = False) -> None:
        if series.asking is None:
            series.asking = asyncio.create_task(self._asked(series, to_ms, is_due=is_due))

    async def _asked(self, series: Series, to_ms: int, *, is_due: bool) -> None:
        found = await self._answer(series, to_ms)
        given = [c for c in found if series.ledger.judge(c) in ("next", "gap", "restated")]
        for candle in given:
            self._give(series, candle)
        series.asked_to_ms = max(series.asked_to_ms, to_ms)
        if is_due:
            told = {candle.opened_ms for candle in series.waiting}
            self._judge(series, [c for c in given if c.opened_ms not in told])
        series.asking = None
        waiting, series.waiting = series.waiting, []
        for candle in waiting:
            self._take(series, candle)

    async def _answer(self, series: Series, to_ms: int) -> Sequence[CandleClosed]:
        """Ask REST until it answers; the end of the connection ends that too."""
        listening, attempt = series.ledger.listening, 0
        from_ms = min(series.ledger.wanted_ms, series.recheck_ms or series.ledger.wanted_ms)
        while True:
            try:
                found = await self._rest.fetch(
                    listening.instrument, listening.interval, from_ms, to_ms, listening.hours
                )
            except SourceRefused as refused:
                self._note("refused", str(refused), is_alarm=True)
                series.ask_at_ms = self._clock.now_ms() + _REFUSED_MS
                return ()
            except SourceUnavailable as busy:
                attempt += 1
                self._note("lost", f"REST: {busy}", is_alarm=attempt == 2)
                longest_s = min(self._patience.first_s * 2.0**attempt, self._patience.longest_s)
                await asyncio.sleep(longest_s if busy.retry_after_s is None else busy.retry_after_s)
            else:
                series.recheck_ms = None
                return found

    def _judge(self, series: Series, lost: Sequence[CandleClosed]) -> None:
        """Decide what it means that a due candle came from REST, or from nowhere."""
        if not lost:
            step = series.ledger.next_close_ms() - series.ledger.next_open_ms()
            series.quiet = min(max(series.quiet, 0) * 2 + 1, _QUIET_MOST)
            pause_ms = min(max(step, MINUTE_MS), HOUR_MS) * series.quiet
            series.ask_at_ms = max(series.ask_at_ms, self._clock.now_ms() + pause_ms)
            return
        series.quiet = 0
        if series.by_rest:
            return
        series.strikes += 1
        listening, silent_s = series.ledger.listening, self._alive_s - self._heard_s
        about = f"{listening.interval} candles of {listening.instrument}"
        if silent_s >= self._patience.grace_s:
            self._mute = Mute(f"connected, but silent for {silent_s:.1f} s while REST had {about}")
        elif series.strikes >= _STRIKES:
            self._mute = Mute(f"connected, but {series.strikes} times only REST had {about}")

    def _give(self, series: Series, candle: CandleClosed) -> None:
        self.gave += 1
        given = series.ledger.take(candle, self._clock.now_ms())
        closed_ms = given.interval.end_ms(given.opened_ms)
        age_ms = given.received_ms - closed_ms
        age_s = self._clock.real_s(age_ms) or 0.0  # while time stands still nothing grows old
        is_long = age_ms > STALE_SHARE * (closed_ms - given.opened_ms)
        is_late = is_long and age_s > self._patience.stale_s
        self._out(replace(given, is_late=True) if is_late else given)

"""The one way in which all feeds listen: connect, catch up over REST, go on, and begin again.

A connection is read from the moment it stands, while REST is asked for what was missed; what both
tell is given once. A candle that the clock says is due and that did not come is asked for over
REST. If REST has it, the connection is mute or lost a message; if not, nothing was traded.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from time import monotonic

import structlog

from live.clock import Clock
from live.events import CandleClosed
from live.feeds.connection import Connection, ConnectionLost, ConnectionRefused, Heard
from live.feeds.ledger import Ledger
from live.feeds.protocol import FeedNotice, Listening, NoticeKind
from live.feeds.rest import RestCandles
from mela.errors import SourceRefused, SourceUnavailable
from mela.interval import DAY_MS, MINUTE_MS, Interval

log = structlog.get_logger()
_QUIET_MOST = 16  # a quiet series is asked for after at most so many of its candles
_LOOK_S = 0.05  # how often it is looked at what is due, however many messages come
_STRIKES = 3  # candles in a row that only REST had, while others came: the subscription is lost


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a feed waits, in seconds of this machine.

    first_s, longest_s: pauses between attempts to connect; they double, with jitter
    open_s: for a connection to stand; grace_s: for a candle after its close
    silence_s: for any message, of services that always talk; None for others
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    open_s: float = 15.0
    grace_s: float = 10.0
    silence_s: float | None = None


@dataclass(slots=True)
class _Series:
    """A series as the listener keeps it. by_rest: the connection does not bring it."""

    ledger: Ledger
    by_rest: bool
    ask_at_ms: int = 0  # not before this, by the market's clock
    quiet: int = 0
    strikes: int = 0
    recheck_ms: int | None = None  # candles from here on are asked for again


@dataclass(slots=True)
class _Link:
    """What is known of the current connection."""

    connection: Connection
    inbox: asyncio.Queue[Heard | Exception] = field(
        default_factory=asyncio.Queue[Heard | Exception]
    )
    heard_s: float = field(default_factory=monotonic)
    gave: int = 0
    ended: Exception | None = None


class Mute(Exception):
    """The connection stands and does not bring what the service has."""


class Listener:
    """A feed of some series of one venue. connect: makes the connection of an attempt.

    on_stream: the intervals that the connection brings; others are asked for over REST when they
        close, at once where the connection brings minutes (`minutes`) and the last one came
    since_ms: the first open time wanted of a series; by default, what closes from now on
    """

    def __init__(
        self,
        listenings: Mapping[Listening, str],
        rest: RestCandles,
        clock: Clock,
        connect: Callable[[], Connection],
        *,
        on_stream: Callable[[Interval], bool] = lambda _: True,
        minutes: bool = False,
        since_ms: Mapping[Listening, int] | None = None,
        patience: Patience | None = None,
        seed: int | None = None,
    ) -> None:
        self._rest = rest
        self._clock = clock
        self._connect = connect
        self._minutes = minutes
        self._patience = patience or Patience()
        self._random = Random(seed)  # noqa: S311 - for pauses
        now_ms = clock.now_ms()
        self._series = {
            listening: _Series(
                Ledger(listening, calendar, _first_ms(listening, calendar, now_ms, since_ms)),
                by_rest=not on_stream(listening.interval),
            )
            for listening, calendar in listenings.items()
        }
        self._out: asyncio.Queue[CandleClosed | FeedNotice | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = False
        self._must_catch_up = False
        self._look_at_s = 0.0

    async def candles(self) -> AsyncIterator[CandleClosed | FeedNotice]:
        """Yield closed candles and notices until `stop`."""
        self._tasks = [
            asyncio.create_task(self._guarded(part)) for part in (self._listen, self._watch_clock)
        ]
        try:
            while (given := await self._out.get()) is not None:
                yield given
        finally:
            await self.stop()

    async def fetch(
        self, instrument: str, interval: Interval, from_ms: int, to_ms: int
    ) -> list[CandleClosed]:
        """Return closed candles over REST; see Feed."""
        return await self._rest.fetch(instrument, interval, from_ms, to_ms)

    async def stop(self) -> None:
        """Close the connection and end `candles`."""
        if self._stopped:
            return
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._rest.close()
        self._note("stopped", "the feed was stopped")
        self._out.put_nowait(None)

    async def _guarded(self, part: Callable[[], Awaitable[None]]) -> None:
        """Run a part for ever: an error that nobody expected is told, and the part begins again."""
        while True:
            try:
                await part()
            except Exception as error:
                log.exception("feed_failed", part=getattr(part, "__name__", "part"))
                self._note("lost", f"the feed failed and begins again: {error}", is_alarm=True)
                await asyncio.sleep(self._patience.first_s)

    async def _listen(self) -> None:
        failures = 0
        while True:
            link = _Link(self._connect())
            try:
                await self._open(link)
                await self._serve(link)
            except Mute as mute:
                self._note("mute", str(mute), is_alarm=True)
            except ConnectionRefused as refused:
                self._note("refused", str(refused), is_alarm=failures % 10 == 0)
            except (ConnectionLost, TimeoutError) as lost:
                why = str(lost) or f"no connection within {self._patience.open_s:g} s"
                self._note("lost", why, is_alarm=failures == 2)
            finally:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(link.connection.close())
            failures = 0 if link.gave else failures + 1
            await asyncio.sleep(self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        longest_s = min(self._patience.first_s * 2.0 ** min(failures, 16), self._patience.longest_s)
        return longest_s * (0.5 + 0.5 * self._random.random())

    async def _open(self, link: _Link) -> None:
        async with asyncio.timeout(self._patience.open_s):
            await link.connection.open()
        self._note("connected", f"listening to {len(self._series)} series")

    async def _serve(self, link: _Link) -> None:
        pump = asyncio.create_task(_pump(link))
        try:
            await self._catch_up_all(link)
            while True:
                await self._hear(link)
                if self._must_catch_up:
                    self._must_catch_up = False
                    await self._catch_up_all(link)
                await self._ask_what_is_due(link)
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)

    async def _hear(self, link: _Link) -> None:
        try:
            async with asyncio.timeout(_LOOK_S):
                heard = await link.inbox.get()
        except TimeoutError:
            return
        while True:  # all that waits, before anything is held to be overdue
            if isinstance(heard, Exception):
                raise heard
            for candle in heard.candles:
                await self._offer(candle, link, corrects=heard.corrects)
            if link.inbox.empty():
                return
            heard = link.inbox.get_nowait()

    async def _offer(self, candle: CandleClosed, link: _Link, *, corrects: bool) -> None:
        series = self._series.get(Listening(candle.instrument, candle.interval))
        if self._minutes and candle.interval is Interval.M1:
            self._minute_passed(candle, corrects=corrects)
        if series is None or series.by_rest:
            return
        verdict = series.ledger.judge(candle)
        if verdict == "gap":
            await self._fill(series, candle.opened_ms, link)
            verdict = series.ledger.judge(candle)
        if verdict in ("next", "gap", "restated"):
            series.strikes, series.quiet = 0, 0
            self._give(series, candle, link)

    def _minute_passed(self, minute: CandleClosed, *, corrects: bool) -> None:
        """Ask for a longer candle as soon as its last minute came, and again if one changed."""
        end_ms = minute.opened_ms + MINUTE_MS
        for listening, series in self._series.items():
            if listening.instrument != minute.instrument or not series.by_rest:
                continue
            if end_ms >= series.ledger.next_close_ms():
                series.ask_at_ms = 0
                series.quiet = -1  # now, without its grace
                self._look_at_s = 0.0
            elif corrects and minute.opened_ms < series.ledger.wanted_ms:
                begins_ms = minute.opened_ms - (listening.interval.fixed_ms or DAY_MS) + 1
                series.recheck_ms = min(series.recheck_ms or begins_ms, begins_ms)

    async def _ask_what_is_due(self, link: _Link) -> None:
        if monotonic() < self._look_at_s:
            return
        self._look_at_s = monotonic() + _LOOK_S
        now_ms = self._clock.now_ms()
        silent_s = monotonic() - link.heard_s
        limit_s = self._patience.silence_s
        if limit_s is not None and silent_s > limit_s and self._clock.real_s(1.0) is not None:
            raise Mute(f"connected, but nothing was heard for {silent_s:.0f} s")
        for series in self._series.values():
            if now_ms < self._due_ms(series):
                continue
            before = link.gave
            await self._catch_up(series, link)
            step = max(series.ledger.next_close_ms() - series.ledger.next_open_ms(), MINUTE_MS)
            if link.gave > before:
                series.quiet = 0
                series.strikes += not series.by_rest
                self._judge_silence(series, link)
            else:
                series.quiet = min(max(series.quiet, 0) * 2 + 1, _QUIET_MOST)
                series.ask_at_ms = now_ms + min(step, DAY_MS // 24) * series.quiet

    def _judge_silence(self, series: _Series, link: _Link) -> None:
        if series.by_rest:
            return
        silent_s = monotonic() - link.heard_s
        listening = series.ledger.listening
        if silent_s > self._patience.grace_s / 2:
            raise Mute(
                f"connected, but silent for {silent_s:.1f} s while REST had {listening.interval} "
                f"candles of {listening.instrument}"
            )
        if series.strikes >= _STRIKES:
            raise Mute(
                f"connected, but {series.strikes} {listening.interval} candles of "
                f"{listening.instrument} in a row came over REST only"
            )

    def _due_ms(self, series: _Series) -> float:
        """Return when a series is asked for: its next close, a grace, and what quiet adds."""
        if series.recheck_ms is not None:
            return 0.0
        grace_ms = 0.0 if series.quiet < 0 else self._clock.span_ms(self._patience.grace_s)
        if series.ledger.listening.interval.fixed_ms in (None, *(_DAYS)):
            grace_ms = max(grace_ms, MINUTE_MS)  # a day's last trades are reported late
        return max(series.ledger.next_close_ms() + grace_ms, series.ask_at_ms)

    async def _catch_up_all(self, link: _Link) -> None:
        before = link.gave
        for series in self._series.values():
            await self._catch_up(series, link)
        many = link.gave - before
        self._note("caught_up", f"{many} candles came over REST", candles=many)

    async def _catch_up(self, series: _Series, link: _Link) -> None:
        now_ms = self._clock.now_ms()
        if now_ms >= series.ledger.next_close_ms() or series.recheck_ms is not None:
            await self._fill(series, now_ms + 1, link)

    async def _fill(self, series: _Series, to_ms: int, link: _Link) -> None:
        """Ask REST for what is missing before an instant, for as long as the connection stands."""
        listening, attempt = series.ledger.listening, 0
        from_ms = min(series.ledger.wanted_ms, series.recheck_ms or series.ledger.wanted_ms)
        while True:
            if link.ended is not None:
                raise link.ended
            try:
                found = await self._rest.fetch(
                    listening.instrument, listening.interval, from_ms, to_ms
                )
                series.recheck_ms = None
                break
            except SourceRefused as refused:
                self._note("refused", str(refused), is_alarm=True)
                series.ask_at_ms = self._clock.now_ms() + 10 * MINUTE_MS
                return
            except SourceUnavailable as busy:
                attempt += 1
                self._note("lost", f"REST: {busy}", is_alarm=attempt == 2)
                wait_s = busy.retry_after_s
                await asyncio.sleep(self._pause_s(attempt) if wait_s is None else wait_s)
        for candle in found:
            if series.ledger.judge(candle) in ("next", "gap", "restated"):
                self._give(series, candle, link)

    def _give(self, series: _Series, candle: CandleClosed, link: _Link) -> None:
        link.gave += 1
        self._out.put_nowait(series.ledger.take(candle, self._clock.now_ms()))

    async def _watch_clock(self) -> None:
        while True:
            await asyncio.sleep(self._patience.first_s)
            jump_ms = await self._clock.refresh()
            if jump_ms:
                text = f"the clock jumped by {jump_ms / 1000:.0f} s"
                self._note("clock_jumped", text, is_alarm=True)
                self._must_catch_up = True

    def _note(
        self, kind: NoticeKind, text: str, *, is_alarm: bool = False, candles: int = 0
    ) -> None:
        told = log.warning if is_alarm else log.info
        told("feed", kind=kind, text=text)
        self._out.put_nowait(FeedNotice(kind, self._clock.now_ms(), text, is_alarm, candles))


_DAYS = tuple(each.fixed_ms for each in Interval if (each.fixed_ms or 0) >= DAY_MS)


async def _pump(link: _Link) -> None:
    """Put what is heard into the inbox, and at the end the reason why it ended."""
    try:
        while True:
            heard = await link.connection.hear()
            link.heard_s = monotonic()
            if heard.candles:
                link.inbox.put_nowait(heard)
    except (ConnectionLost, ConnectionRefused) as ended:
        link.ended = ended
        link.inbox.put_nowait(ended)


def _first_ms(
    listening: Listening, calendar: str, now_ms: int, since_ms: Mapping[Listening, int] | None
) -> int:
    """Return the first open time wanted: by default, of the candle that is open now."""
    if since_ms is not None and listening in since_ms:
        return since_ms[listening]
    back_ms = (listening.interval.fixed_ms or 31 * DAY_MS) + DAY_MS
    ledger = Ledger(listening, calendar, now_ms - back_ms)
    while ledger.next_close_ms() <= now_ms:
        ledger.skip_to(ledger.next_open_ms() + 1)
    return ledger.next_open_ms()

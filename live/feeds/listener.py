"""The one way in which all feeds listen: connect, catch up over REST, go on, and begin again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from random import Random

import structlog

from live.clock import Clock
from live.events import CandleClosed
from live.feeds.connection import Connection, ConnectionLost, ConnectionRefused, Heard
from live.feeds.gathering import LOOK_S, Gathering, Mute, Patience, Series
from live.feeds.ledger import Ledger
from live.feeds.protocol import FeedNotice, Listening, NoticeKind, Said
from live.feeds.rest import RestCandles
from mela.interval import DAY_MS, Interval
from mela.risk_limits import SessionHours

__all__ = ["Listener", "Patience"]
_AT_ONCE = 256  # messages read before it is looked at what is due
log = structlog.get_logger()


class Listener:
    """A feed of some series of one venue. connect: makes the connection of an attempt.

    listenings: the series, and the calendar of each
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
        self._patience = patience or Patience()
        self._random = Random(seed)  # noqa: S311 - for pauses
        self._out: asyncio.Queue[Said | None] = asyncio.Queue()
        now_ms = clock.now_ms()
        series = {
            listening: Series(
                Ledger(listening, calendar, _first_ms(listening, calendar, now_ms, since_ms)),
                by_rest=not on_stream(listening.interval),
            )
            for listening, calendar in listenings.items()
        }
        self._many = len(series)
        self._gathering = Gathering(
            series,
            rest,
            clock,
            self._patience,
            self._out.put_nowait,
            self._note,
            minutes=minutes,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = False
        self._must_catch_up = False

    async def candles(self) -> AsyncIterator[Said]:
        """Yield closed candles, notices and halts until `stop`."""
        self._tasks = [
            asyncio.create_task(self._guarded(part)) for part in (self._listen, self._watch_clock)
        ]
        try:
            while (given := await self._out.get()) is not None:
                yield given
        finally:
            await self.stop()

    async def fetch(
        self,
        instrument: str,
        interval: Interval,
        from_ms: int,
        to_ms: int,
        hours: SessionHours = "regular",
    ) -> list[CandleClosed]:
        """Return closed candles over REST; see Feed."""
        return await self._rest.fetch(instrument, interval, from_ms, to_ms, hours)

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
            connection, gave = self._connect(), self._gathering.gave
            try:
                async with asyncio.timeout(self._patience.open_s):
                    await connection.open()
                self._note("connected", f"listening to {self._many} series")
                await self._serve(connection)
            except Mute as mute:
                self._note("mute", str(mute), is_alarm=True)
            except ConnectionRefused as refused:
                self._note("refused", str(refused), is_alarm=failures % 10 == 0)
            except (ConnectionLost, TimeoutError) as lost:
                why = str(lost) or f"no connection within {self._patience.open_s:g} s"
                self._note("lost", why, is_alarm=failures == 2)
            finally:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(connection.close())
            failures = 0 if self._gathering.gave > gave else failures + 1
            await asyncio.sleep(self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        longest_s = min(self._patience.first_s * 2.0 ** min(failures, 16), self._patience.longest_s)
        return longest_s * (0.5 + 0.5 * self._random.random())

    async def _serve(self, connection: Connection) -> None:
        """Read a connection until it ends, while REST is asked for what was missed."""
        inbox: asyncio.Queue[Heard | Exception] = asyncio.Queue()
        gathering = self._gathering
        gathering.connected()
        pump = asyncio.create_task(_pump(connection, inbox, gathering.heard))
        catching_up = asyncio.create_task(gathering.catch_up())
        try:
            while True:
                await self._hear(inbox)
                if catching_up.done():
                    catching_up.result()  # raises what nobody expected
                    if self._must_catch_up:
                        self._must_catch_up = False
                        catching_up = asyncio.create_task(gathering.catch_up())
                gathering.look()
        finally:
            for task in (pump, catching_up):
                task.cancel()
            await asyncio.gather(pump, catching_up, return_exceptions=True)
            await gathering.disconnected()

    async def _hear(self, inbox: asyncio.Queue[Heard | Exception]) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                heard = await inbox.get()
        except TimeoutError:
            return
        waiting = [heard, *(inbox.get_nowait() for _ in range(min(inbox.qsize(), _AT_ONCE)))]
        for each in waiting:
            if isinstance(each, Exception):
                raise each
            for candle in each.candles:
                self._gathering.offer(candle, corrects=each.corrects)
            for status in each.statuses:
                self._out.put_nowait(status)

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


async def _pump(
    connection: Connection, inbox: asyncio.Queue[Heard | Exception], heard: Callable[[], None]
) -> None:
    """Put what is heard into the inbox, and at the end the reason why it ended."""
    try:
        while True:
            message = await connection.hear()
            heard()
            if message.candles or message.statuses:
                inbox.put_nowait(message)
    except (ConnectionLost, ConnectionRefused) as ended:
        inbox.put_nowait(ended)


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

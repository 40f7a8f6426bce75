"""One feed for each market, whichever sessions listen to it.

A market allows few connections, so that all sessions of the process share one. When a session
begins to listen to a further series, the feed is opened anew with all of them; what closes in
between comes over REST, as after every connection. Of a stock the feed has the hours before and
after the session where anybody wants them, and passes them on to those alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import get_args

import numpy as np
import structlog

from live.clock import Clock
from live.events import CandleClosed
from live.feeds import Feed, FeedNotice, Listening, Said, feed_of, open_feed
from mela.calendars import ALWAYS
from mela.inference import infer
from mela.interval import Interval
from mela.market_hours import Phase, phases
from mela.risk_limits import SessionHours
from mela.settings import Settings

LOG = structlog.get_logger(__name__)
Heard = Callable[[Said], None]
AGAIN_S, LONGEST_S = 1.0, 60.0
Open = Callable[[str, list[Listening], Settings, Clock, Mapping[Listening, int]], Feed]


@dataclass
class _Market:
    """A feed that is open. wanted: by whom each series is listened to."""

    name: str
    wanted: dict[Listening, set[Heard]] = field(default_factory=dict[Listening, set[Heard]])
    next_ms: dict[Listening, int] = field(default_factory=dict[Listening, int])
    feed: Feed | None = None
    task: asyncio.Task[None] | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class FeedHub:
    """The feeds of all markets that sessions listen to."""

    def __init__(self, settings: Settings, clock: Clock, open_one: Open = open_feed) -> None:
        """Make it; feeds are opened when somebody listens."""
        self._settings, self._clock, self._open = settings, clock, open_one
        self._markets: dict[str, _Market] = {}
        self._closings: set[asyncio.Task[None]] = set()
        self._is_over = False

    async def listen(self, since_ms: Mapping[Listening, int], heard: Heard) -> None:
        """Listen to some series, each from an opening on. Raises ValueError as `open_feed` does."""
        for name, few in _by_market(since_ms).items():
            market = self._markets.setdefault(name, _Market(name))
            async with market.turn:
                is_missed = False
                for one in few:
                    market.wanted.setdefault(one, set()).add(heard)
                    known = market.next_ms.get(one)
                    is_missed = is_missed or known is None or since_ms[one] < known
                    market.next_ms[one] = min(known or since_ms[one], since_ms[one])
                try:
                    if is_missed or market.feed is None:
                        await self._reopen(market)
                except ValueError:
                    self._drop(market, heard)
                    raise

    async def leave(self, heard: Heard) -> None:
        """Listen no more."""
        for market in self._markets.values() if not self._is_over else ():
            async with market.turn:
                if self._drop(market, heard):
                    await self._reopen(market)

    def feed(self, instrument: str) -> Feed:
        """Return the open feed of an instrument's market."""
        feed = self._markets[feed_of(instrument)].feed
        if feed is None:
            raise KeyError(f"nobody listens to the market of {instrument}")
        return feed

    def end(self) -> None:
        """Open no feed any more: the process ends, and all who listen leave."""
        self._is_over = True

    async def stop(self) -> None:
        """Close all feeds, side by side."""
        self.end()
        await asyncio.gather(*map(self._stop_one, self._markets.values()))
        await asyncio.gather(*self._closings)

    async def _stop_one(self, market: _Market) -> None:
        async with market.turn:
            market.wanted.clear()
            await self._close(market)

    def _drop(self, market: _Market, heard: Heard) -> bool:
        """Forget a listener; tell whether a series has nobody left."""
        for listeners in market.wanted.values():
            listeners.discard(heard)
        gone = [one for one, listeners in market.wanted.items() if not listeners]
        for one in gone:
            del market.wanted[one]
            market.next_ms.pop(one, None)
        return bool(gone)

    async def _reopen(self, market: _Market) -> None:
        await self._close(market)
        if market.wanted and not self._is_over:
            market.feed = self._make(market)
            market.task = asyncio.create_task(self._pass_on(market))

    def _make(self, market: _Market) -> Feed:
        widest: dict[tuple[str, Interval], SessionHours] = {}
        for one in sorted(market.wanted, key=lambda each: each.hours, reverse=True):
            key = one.instrument, one.interval  # "extended" comes last, and wins
            widest[key] = "extended" if one.hours == "extended" else widest.get(key, one.hours)
        series = [Listening(*key, hours) for key, hours in sorted(widest.items())]
        since = {
            one: min(
                at
                for each, at in market.next_ms.items()
                if (each.instrument, each.interval) == (one.instrument, one.interval)
            )
            for one in series
        }
        return self._open(market.name, series, self._settings, self._clock, since)

    async def _close(self, market: _Market) -> None:
        """Close a feed, to its end even where whoever asked is cancelled."""
        feed, task = market.feed, market.task
        market.feed, market.task = None, None
        closing = asyncio.create_task(_closed(feed, task))
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)
        await asyncio.shield(closing)

    async def _pass_on(self, market: _Market) -> None:
        """Pass on what a feed says; open it anew if it ends by itself."""
        while True:
            feed = market.feed
            try:
                if feed is not None:
                    async for said in feed.candles():
                        self._told(market, said)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                LOG.warning("feed_failed", feed=market.name, error=str(error), exc_info=error)
            market.feed = await self._made(market)

    async def _made(self, market: _Market) -> Feed:
        """Open a feed anew, as often as it takes; who listens is told where it cannot be."""
        wait_s = AGAIN_S
        while True:
            await asyncio.sleep(wait_s)
            try:
                return self._make(market)
            except Exception as error:
                LOG.warning("feed_not_opened", feed=market.name, error=str(error), exc_info=error)
                wait_s = min(2 * wait_s, LONGEST_S)
                text = f"no candles come from {market.name}: {error}; tried again in {wait_s:g} s"
                now = self._clock.now_ms()
                self._told(market, FeedNotice("refused", now, text, is_alarm=True))

    def _told(self, market: _Market, said: Said) -> None:
        if not isinstance(said, CandleClosed):
            name = None if isinstance(said, FeedNotice) else said.instrument
            wanted = market.wanted.items()
            of = [who for series, who in wanted if name is None or series.instrument == name]
            for heard in {heard for listeners in of for heard in listeners}:
                heard(said)
            return
        after = said.interval.end_ms(said.opened_ms)
        for hours in get_args(SessionHours):
            series = Listening(said.instrument, said.interval, hours)
            if series not in market.next_ms:
                continue
            market.next_ms[series] = max(market.next_ms[series], after)
            if hours == "extended" or not _is_around(said):
                for heard in tuple(market.wanted.get(series, ())):
                    heard(said)


async def _closed(feed: Feed | None, task: asyncio.Task[None] | None) -> None:
    if feed is not None:
        await feed.stop()
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _is_around(candle: CandleClosed) -> bool:
    """Tell whether a candle lies before or after the session of its market."""
    calendar = calendar_of(candle.instrument)
    if calendar == ALWAYS or not candle.interval.is_intraday:
        return False
    marked = phases(calendar, candle.interval, np.array([candle.opened_ms], np.int64))
    return int(marked[0]) in (Phase.BEFORE, Phase.AFTER)


@cache
def calendar_of(instrument: str) -> str:
    """Return the calendar of an instrument's market, as far as its name tells."""
    return infer(instrument).calendar


def _by_market(series: Iterable[Listening]) -> dict[str, list[Listening]]:
    found: dict[str, list[Listening]] = {}
    for one in series:
        found.setdefault(feed_of(one.instrument), []).append(one)
    return found

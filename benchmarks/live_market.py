"""A market that a benchmark moves on by itself, candle by candle, for sessions on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from backtests.strategies import CATALOGUE
from live.broker_hub import BrokerHub
from live.engine import Engine
from live.events import CandleClosed, Started, encode, kind_of
from live.feed_hub import FeedHub
from live.feeds import FeedNotice
from live.process import Process
from live.runner import Outside
from mela.interval import Interval
from mela.risk_limits import SessionHours
from mela.settings import Settings
from services.trading import sessions
from services.trading.callers import at_this_machine
from warehouse.database import transaction
from warehouse.trading import log
from warehouse.trading.log import Entry, Rows


class Market:
    """A clock, and a feed of what a benchmark says: `say` gives candles to all who listen."""

    def __init__(self, now_ms: int) -> None:
        """Make it at an instant."""
        self.time_ms = now_ms
        self._said: asyncio.Queue[CandleClosed] = asyncio.Queue()

    def say(self, candle: CandleClosed) -> None:
        """Let a candle close."""
        self.time_ms = max(self.time_ms, candle.received_ms)
        self._said.put_nowait(candle)

    # the clock
    def now_ms(self) -> int:
        """Return the time of the market."""
        return self.time_ms

    def real_s(self, span_ms: float) -> float | None:
        """Return a span in seconds."""
        return span_ms / 1000

    def span_ms(self, real_s: float) -> float:
        """Return seconds in milliseconds."""
        return real_s * 1000

    async def refresh(self) -> int:
        """Tell that nobody has set the clock."""
        return 0

    # the feed
    async def candles(self) -> AsyncIterator[CandleClosed | FeedNotice]:
        """Yield what is said."""
        while True:
            yield await self._said.get()

    async def fetch(
        self,
        instrument: str,
        interval: Interval,
        from_ms: int,
        to_ms: int,
        hours: SessionHours = "regular",
    ) -> list[CandleClosed]:
        """Refuse to say what was not said: no candle of a benchmark may be missed."""
        raise LookupError(
            f"{instrument} {interval} in {hours} hours is wanted from {from_ms} to {to_ms}"
        )

    async def stop(self) -> None:
        """Do nothing: candles that were said stay said."""


def stored_session(settings: Settings, document: dict[str, Any], event: Started) -> UUID:
    """Store a session whose log has begun, and return its id."""
    caller = at_this_machine(settings, "bench")
    session_id = sessions.start(settings, caller, document, confirm=None).session_id
    with transaction(settings) as connection:
        entries = [Entry(kind_of(event), True, encode(event))]
        decided = Engine(CATALOGUE).apply(event)
        entries += [Entry(kind_of(one), False, encode(one)) for one in decided]
        log.append(connection, session_id, 0, entries, Rows(), is_halted=False)
    return session_id


@asynccontextmanager
async def trading(
    settings: Settings, market: Market, reached: Callable[[str], None] = lambda _: None
) -> AsyncGenerator[Process]:
    """Run all stored sessions in this loop on the market, until the block ends."""

    def no_broker(money: str) -> Any:
        raise LookupError(f"no broker is asked for here, but one of {money} was")

    outside = Outside(
        settings,
        market,
        FeedHub(settings, market, lambda *_: market),
        BrokerHub(market, no_broker),
        CATALOGUE,
        reached=reached,
    )
    process = Process(outside, no_broker, None)
    task = asyncio.create_task(process.run())
    try:
        yield process
    finally:
        process.stop()
        await task


async def settled(process: Process, sessions_: int, patience_s: float = 120.0) -> None:
    """Wait until so many sessions run and nothing waits to be decided or stored."""
    async with asyncio.timeout(patience_s):
        while True:
            runners = list(process.runners.values())
            is_there = len(runners) == sessions_ and all(one.has_begun for one in runners)
            if is_there and not sum(one.waiting for one in runners):
                return
            await asyncio.sleep(0.002)

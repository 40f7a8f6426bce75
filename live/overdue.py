"""Candles that should have come: noticed by the clock, asked for over REST, or absent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from live.clock import Clock
from live.events import CandleAbsent, Input, Ticked, Wanted
from live.feed_hub import FeedHub
from live.sequence import Key
from mela.candle_clock import FOREVER_MS
from mela.errors import SourceRefused, SourceUnavailable
from mela.risk_limits import SessionHours
from mela.settings import Settings

LOG = structlog.get_logger(__name__)
LOOK_S = 0.5
AGAIN_S, LONGEST_S = 0.5, 30.0
MOST_ABSENT = 5_000


class Overdue:
    """Watches the clock for one session."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        feeds: FeedHub,
        put: Callable[[Input], None],
        hours: SessionHours = "regular",
    ) -> None:
        """Make it; `watch` begins. hours: in which the session trades."""
        self._hours: SessionHours = hours
        self._patience_s = settings.trading.patience_s
        self._clock, self._feeds, self._put = clock, feeds, put

    async def watch(self, due: Callable[[], Mapping[Key, int]]) -> None:
        """Say that time has passed, whenever a candle is overdue; never returns.

        due: the next opening that each series waits for
        """
        told_ms = 0
        while True:
            await asyncio.sleep(LOOK_S)
            await self._clock.refresh()
            now = self._clock.now_ms()
            closes = [key[1].end_ms(ms) for key, ms in due().items() if ms < FOREVER_MS]
            late = min(closes, default=now) + self._patience_ms()
            if now >= late and now >= told_ms + 2 * self._patience_ms():
                told_ms = now
                self._put(Ticked(now))

    async def fetch(self, wanted: Wanted) -> None:
        """Ask for candles that are missing; what the market does not have is absent."""
        wait_s = AGAIN_S
        while True:
            try:
                feed = self._feeds.feed(wanted.instrument)
                found = await feed.fetch(
                    wanted.instrument, wanted.interval, wanted.from_ms, wanted.to_ms, self._hours
                )
                break
            except SourceRefused as error:
                LOG.warning("candles_refused", instrument=wanted.instrument, reason=str(error))
                return
            except (SourceUnavailable, KeyError) as error:
                LOG.info("candles_not_given", instrument=wanted.instrument, reason=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_S)
        came = {one.opened_ms for one in found}
        for candle in found:
            self._put(candle)
        now = self._clock.now_ms()
        for opened in self._openings(wanted):
            is_over = wanted.interval.end_ms(opened) + self._patience_ms() <= now
            if opened not in came and is_over:
                self._put(
                    CandleAbsent(wanted.interval, opened, (wanted.instrument,), now, "not at REST")
                )

    def _patience_ms(self) -> float:
        """Return the patience in the time of the market, which a replay plays faster."""
        return max(self._clock.span_ms(self._patience_s), 1.0)

    @staticmethod
    def _openings(wanted: Wanted) -> list[int]:
        opened, found = wanted.from_ms, list[int]()
        while opened < wanted.to_ms and len(found) < MOST_ABSENT:
            found.append(opened)
            opened = wanted.interval.end_ms(opened)
        return found

"""Begin a session: load the facts of its instruments, and the candles before its first one.

It trades the first candle that opens after it was asked for. So that its strategy knows all that a
backtest knows there, it waits until the candle before has closed and has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from backtests.strategy import Strategy
from live.build import runs_of
from live.clock import Clock
from live.events import CandleClosed, Facts, History, Started
from live.feeds import feed_of
from live.feeds.rest import RestCandles
from live.sequence import Key, clock_of
from mela.calendars import ALWAYS
from mela.candle_clock import FOREVER_MS
from mela.candle_clock import CandleClock as Openings
from mela.inference import infer
from mela.instrument import Instrument
from mela.interval import DAY_MS, Interval
from mela.session import Session
from mela.settings import Settings
from services.candles.instruments import known_or_none

AGAIN_S, STANDING_S = 0.2, 0.5
LONGEST_NAP_S = 5.0


@dataclass
class Warming:
    """The history that a session needs before its first candle.

    needed: of each series, how many candles before it
    """

    settings: Settings
    clock: Clock
    session: Session
    needed: dict[Key, int]
    about: Mapping[str, Instrument]

    async def started(self, session_id: UUID) -> Started:
        """Return the event that starts the session, once its first candle opens.

        Raises SourceUnavailable and SourceRefused as the market's service does.
        """
        rests = self._rests()
        try:
            await self.clock.refresh()  # a replay may have been set since anybody looked
            now = self.clock.now_ms()
            series = {key: await self._before(rests, key, now) for key in self.needed}
            openings = {key: self._openings(key, series[key]) for key in self.needed}
            traded = [(name, self.session.interval) for name in self.session.instruments]
            first = min(openings[key].next_after(now) for key in traded)
            if first == FOREVER_MS:
                raise ValueError("nobody knows when the market of these instruments opens again")
            await self._until(first)
            for key, known in series.items():
                await self._rest_of(rests, key, known, first, openings[key])
        finally:
            for rest in rests.values():
                rest.close()
        history = tuple(
            _history(key, list(series[key].values())[-needed:] if needed else [])
            for key, needed in self.needed.items()
        )
        facts = tuple(_facts(self.about[name]) for name in sorted({key[0] for key in self.needed}))
        document = self.session.content()
        return Started(str(session_id), document, first, facts, history, self.clock.now_ms())

    def _rests(self) -> dict[str, RestCandles]:
        markets = {feed_of(key[0]): key[0].partition(":")[0] for key in self.needed}
        return {
            market: RestCandles(venue, self.settings, self.clock)
            for market, venue in markets.items()
        }

    async def _before(
        self, rests: Mapping[str, RestCandles], key: Key, now_ms: int
    ) -> dict[int, CandleClosed]:
        instrument, interval = key
        step = interval.fixed_ms or 31 * DAY_MS
        share = 1 if self.about[instrument].calendar == ALWAYS else 6 if step < DAY_MS else 2
        since = now_ms - (self.needed[key] * share + 2) * step
        rest = rests[feed_of(instrument)]
        found = await rest.fetch(instrument, interval, since, now_ms, self.session.hours)
        return {one.opened_ms: one for one in found}

    def _openings(self, key: Key, known: Mapping[int, CandleClosed]) -> Openings:
        import numpy as np

        opened = np.array(sorted(known), np.int64)
        return clock_of(self.about[key[0]].calendar, key[1], opened, self.session.hours)

    async def _until(self, ms: int) -> None:
        while (left := ms - self.clock.now_ms()) > 0:
            nap_s = self.clock.real_s(left)
            await asyncio.sleep(STANDING_S if nap_s is None else min(nap_s, LONGEST_NAP_S))
            await self.clock.refresh()

    async def _rest_of(
        self,
        rests: Mapping[str, RestCandles],
        key: Key,
        known: dict[int, CandleClosed],
        first_ms: int,
        openings: Openings,
    ) -> None:
        """Add the candles that closed meanwhile; wait a while for those that are expected."""
        instrument, interval = key
        last = max(known, default=first_ms - 2 * (interval.fixed_ms or 31 * DAY_MS))
        patience_ms = self.clock.span_ms(self.settings.trading.patience_s)
        until = first_ms + max(patience_ms, 1000 * self.settings.trading.patience_s)
        while True:
            rest = rests[feed_of(instrument)]
            hours = self.session.hours
            for one in await rest.fetch(instrument, interval, last + 1, first_ms, hours):
                known[one.opened_ms] = one
            due = openings.next_after(max(known, default=last))
            if openings.closes_ms(due) > first_ms or self.clock.now_ms() >= until:
                return
            await asyncio.sleep(AGAIN_S)


def warming(
    settings: Settings, clock: Clock, session: Session, catalogue: Mapping[str, Strategy]
) -> Warming:
    """Return what a session needs. Raises SceneInvalid as planning its scene does."""
    needed: dict[Key, int] = {}
    for run in runs_of(session, clock.now_ms(), catalogue):
        for name in run.instruments:
            _need(needed, (name, run.interval), run.warmup)
        for one in run.input_series:
            _need(needed, (one.instrument, one.interval), one.warmup)
    names = sorted({key[0] for key in needed})
    known = known_or_none(names, settings)
    about = {name: known.get(name) or infer(name) for name in names}
    return Warming(settings, clock, session, needed, about)


def _need(needed: dict[Key, int], key: tuple[str, Interval], count: int) -> None:
    needed[key] = max(needed.get(key, 0), count)


def _facts(about: Instrument) -> Facts:
    return Facts(
        about.name,
        about.kind,
        about.quote,
        about.calendar,
        about.tick,
        about.lot,
        about.multiplier,
    )


def _history(key: Key, candles: list[CandleClosed]) -> History:
    candles = sorted(candles, key=lambda one: one.opened_ms)
    return History(
        *key,
        tuple(one.opened_ms for one in candles),
        tuple(one.open for one in candles),
        tuple(one.high for one in candles),
        tuple(one.low for one in candles),
        tuple(one.close for one in candles),
        tuple(one.volume for one in candles),
    )

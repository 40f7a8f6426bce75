"""live.feed_hub: a feed that cannot be opened anew is tried again, and its listeners are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from live.clock import ReplayClock
from live.events import CandleClosed
from live.feed_hub import FeedHub
from live.feeds import FeedNotice, Listening, open_feed
from mela.interval import Interval
from mela.settings import Settings
from tests.live.after_hours import STOCK, ms, write_minutes
from tests.live.played import FROM, FROM_MS, QUICK, order


class Brief:
    """A feed that ends by itself."""

    async def candles(self) -> AsyncIterator[Any]:
        for one in ():
            yield one

    async def stop(self) -> None:
        """Stop."""


def test_a_feed_that_cannot_be_opened_is_tried_again_and_told(replay: Callable[..., Any]) -> None:
    server = replay()
    order(server, "play", **{"from": FROM, "speed": 600})
    settings = Settings(replay_url=server.url)
    opened: list[int] = []

    def open_one(*given: Any) -> Any:
        opened.append(1)
        if len(opened) == 1:
            return Brief()
        if len(opened) == 2:
            raise ValueError("no keys are set")
        return open_feed(*given, patience=QUICK)

    async def listen() -> list[Any]:
        hub, heard = FeedHub(settings, ReplayClock(server.url), open_one), list[Any]()
        await hub.listen({Listening("binance:BTCUSDT", Interval.M1): FROM_MS}, heard.append)
        async with asyncio.timeout(20):
            while not any(isinstance(one, CandleClosed) for one in heard):
                await asyncio.sleep(0.02)
        await hub.stop()
        return heard

    heard = asyncio.run(listen())
    alarms = [one.text for one in heard if isinstance(one, FeedNotice) and one.is_alarm]
    assert len(alarms) == 1
    assert "no keys are set" in alarms[0]
    assert len(opened) >= 3


def test_hours_around_a_session_are_told_to_those_alone_who_ask_for_them(
    replay: Callable[..., Any], tmp_path: Path
) -> None:
    """One listens to regular hours, and another joins who wants all of them: one feed serves both.

    The clock passes the opening of 2024-11-29, a half day, and what was missed comes over REST.
    """
    write_minutes(tmp_path, ["2024-11-29"], lambda _: 100.0)
    server = replay(tmp_path)
    order(server, "play", **{"from": "2024-11-29T14:20:30+00:00", "speed": 120})
    settings = Settings(replay_url=server.url)
    opened: list[list[str]] = []

    def open_one(*given: Any) -> Any:
        opened.append([one.hours for one in given[1]])
        return open_feed(*given, patience=QUICK)

    async def listen() -> tuple[list[int], list[int]]:
        hub = FeedHub(settings, ReplayClock(server.url), open_one)
        heard: tuple[list[int], list[int]] = [], []
        since = ms("2024-11-29T14:15")

        def hears(who: int) -> Any:
            def hear(said: Any) -> None:
                if isinstance(said, CandleClosed):
                    heard[who].append(said.opened_ms)

            return hear

        await hub.listen({Listening(STOCK, Interval.M1): ms("2024-11-29T14:30")}, hears(0))
        await hub.listen({Listening(STOCK, Interval.M1, "extended"): since}, hears(1))
        async with asyncio.timeout(30):
            while len(heard[0]) < 5:
                await asyncio.sleep(0.02)
        await hub.stop()
        return heard

    regular, extended = asyncio.run(listen())
    assert opened == [["regular"], ["extended"]]
    assert regular[0] == ms("2024-11-29T14:30")
    assert extended[0] == ms("2024-11-29T14:15")
    assert len(set(extended)) == len(extended)
    assert regular == [one for one in extended if one >= ms("2024-11-29T14:30")][: len(regular)]

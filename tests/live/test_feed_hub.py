"""live.feed_hub: a feed that cannot be opened anew is tried again, and its listeners are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from live.clock import ReplayClock
from live.events import CandleClosed
from live.feed_hub import FeedHub
from live.feeds import FeedNotice, Listening, open_feed
from mela.interval import Interval
from mela.settings import Settings
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

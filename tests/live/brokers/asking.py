"""A broker of the replay, and what is asked of it in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import requests

from live.brokers import open_broker
from live.brokers.protocol import BrokerOrder, OrderRequest
from live.clock import ReplayClock
from live.feeds.listener import Patience
from mela.settings import Settings

FROM = "2024-01-01T00:00:00+00:00"
FROM_MS = 1_704_067_200_000
COIN, STOCK = "alpaca:BTC/USDT", "alpaca:AAPL"
QUICK = Patience(first_s=0.05, longest_s=0.3, open_s=5.0, grace_s=0.6)
SESSION = "2021-03-15T14:00:00+00:00"  # half an hour into a Monday of New York


def order(server, what: str, /, **document: Any) -> None:
    answer = requests.post(f"{server.url}/replay/{what}", json=document, timeout=10)
    assert answer.status_code == 200, answer.text


def run(server, act: Callable[[Any], Any], **options: Any) -> Any:
    """Run something with a broker and stop the broker."""

    async def acted() -> Any:
        settings = Settings(replay_url=server.url)
        broker = open_broker(settings, ReplayClock(server.url), patience=QUICK, **options)
        try:
            async with asyncio.timeout(20):
                return await act(broker)
        finally:
            await broker.stop()

    return asyncio.run(acted())


def ask(number: str = "a-1", side: str = "buy", units: float = 0.5, **more: Any) -> OrderRequest:
    return OrderRequest(number, more.pop("instrument", COIN), side, units, **more)


async def settled(broker, number: str, *states: str) -> BrokerOrder:
    while True:
        found = await broker.lookup(number)
        if found is not None and found.state in states:
            return found
        await asyncio.sleep(0.02)

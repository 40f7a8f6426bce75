"""The process that trades, in this loop or in a process of its own, on a replay that plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import requests

from backtests.strategies import CATALOGUE
from live.broker_hub import BrokerHub
from live.brokers import open_broker
from live.clock import ReplayClock
from live.feed_hub import FeedHub
from live.feeds import open_feed
from live.feeds.listener import Patience
from live.outside import Outside
from live.process import Process
from mela.settings import Settings
from services.trading import sessions
from services.trading.callers import at_this_machine

FROM = "2024-01-01T00:00:00+00:00"
FROM_MS = 1_704_067_200_000
QUICK = Patience(first_s=0.02, longest_s=0.3, open_s=5.0, grace_s=0.2, silence_s=3.0)
PAPER: dict[str, Any] = {
    "name": "first",
    "instruments": ["binance:BTCUSDT"],
    "interval": "1m",
    "strategy": {"name": "sma_cross", "params": {"fast": 2, "slow": 4}},
    "costs": {"fee": 0.001},
}


def order(server: Any, path: str, /, **document: Any) -> None:
    answer = requests.post(f"{server.url}/replay/{path}", json=document, timeout=10)
    assert answer.status_code == 200, answer.text


def on(settings: Settings, server: Any, **trading: Any) -> Settings:
    """Return settings whose market is a replay, and that wait as long as a fast one needs."""
    quick = settings.trading.model_copy(update={"patience_s": 0.5, **trading})
    return settings.model_copy(update={"replay_url": server.url, "trading": quick})


def start(settings: Settings, document: dict[str, Any], user: str = "ann", **more: Any) -> UUID:
    caller = at_this_machine(settings, user)
    return sessions.start(settings, caller, document, confirm=None, **more).session_id


@asynccontextmanager
async def running(
    settings: Settings,
    reached: Callable[[str], None] = lambda _: None,
    beside: Any = None,
) -> AsyncIterator[Process]:
    """Run all sessions in this loop until the block ends."""
    clock = ReplayClock(settings.replay_url or "")

    def broker(_money: str) -> Any:
        return open_broker(settings, clock, patience=QUICK, answer_s=5.0)

    def feed(*given: Any) -> Any:
        return open_feed(*given, patience=QUICK)

    outside = Outside(
        settings,
        clock,
        FeedHub(settings, clock, feed),
        BrokerHub(clock, broker),
        CATALOGUE,
        doubt_s=0.05,
        reached=reached,
    )
    process = Process(outside, broker, beside)
    task = asyncio.create_task(process.run())
    try:
        yield process
    finally:
        process.stop()
        await task


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)

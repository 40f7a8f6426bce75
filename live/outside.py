"""The objects that all sessions of a process share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from backtests.strategy import Strategy
from live.broker_hub import BrokerHub
from live.broker_requests import Reached
from live.clock import Clock
from live.feed_hub import FeedHub
from live.journal import Journal
from mela.settings import Settings

T = TypeVar("T")


@dataclass
class Counted:
    """The counters of the process's sessions since it started; `decision_s` in seconds."""

    candles: int = 0
    decisions: int = 0
    decision_s: float = 0.0
    waiting: int = 0


@dataclass
class Outside:
    """The objects that all sessions of a process share.

    threads: where the log is written; doubt_s: as of `Requests`
    reached: is told each point that was passed, for tests that end the process there
    """

    settings: Settings
    clock: Clock
    feeds: FeedHub
    brokers: BrokerHub
    catalogue: Mapping[str, Strategy]
    counted: Counted = field(default_factory=Counted)
    doubt_s: float = 1.0
    reached: Reached = lambda _: None
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(8, thread_name_prefix="journal")
    )

    @property
    def journal(self) -> Journal:
        """Return the logs of all sessions."""
        return Journal(self.settings)

    async def blocking(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Do something that blocks in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, lambda: work(*args, **kwargs))

"""Ours against the broker's: at the start, and every so often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from live.brokers.protocol import Broker
from live.clock import Clock
from live.engine import Engine
from live.events import Input
from mela.settings import Settings
from warehouse.trading.sessions import StoredSession

LOG = structlog.get_logger(__name__)
OVERLAP_MS = 60_000  # fills are asked for from so much before the last look


class Comparing:
    """Compares one session with its broker's account."""

    def __init__(
        self,
        broker: Broker,
        clock: Clock,
        put: Callable[[Input], None],
        engine: Callable[[], Engine],
        session: StoredSession,
        settings: Settings,
    ) -> None:
        """Make it."""
        self._broker, self._clock, self._put = broker, clock, put
        self._engine, self._session = engine, session
        self._every_s = settings.trading.reconcile_s
        self._since_ms = 0

    async def at_start(self) -> None:
        """Take the fills that came meanwhile, and compare for the first time."""
        await self._compare(at_start=True)

    async def every_so_often(self) -> None:
        """Compare again and again; never returns."""
        while True:
            await asyncio.sleep(self._every_s)
            await self._compare(at_start=False)

    async def _compare(self, *, at_start: bool) -> None:
        raise NotImplementedError

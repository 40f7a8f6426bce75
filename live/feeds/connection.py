"""One connection of a feed, and how it ends. A feed makes a new one for each attempt."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from live.events import CandleClosed, MarketStatus


@dataclass(frozen=True, slots=True)
class Heard:
    """A message: the candles in it that have closed, which may be none.

    corrects: instruments whose earlier minutes were corrected, for those who make longer candles
    statuses: what the market said of halts
    """

    candles: tuple[CandleClosed, ...] = ()
    corrects: bool = False
    statuses: tuple[MarketStatus, ...] = ()


class ConnectionLost(Exception):
    """The connection ended, or never came to be."""


class ConnectionRefused(Exception):
    """The service answered and will not serve: wrong keys, too many connections, no such symbol."""


class Connection(Protocol):
    """A connection that is opened once, read until it ends, and closed."""

    async def open(self) -> None:
        """Connect, sign in, subscribe. Raises ConnectionLost or ConnectionRefused."""
        ...

    async def hear(self) -> Heard:
        """Wait for the next message. Raises ConnectionLost or ConnectionRefused."""
        ...

    async def close(self) -> None:
        """End it, whatever state it is in; never raises."""
        ...


class NoConnection:
    """The listener of a feed that only polls: it never hears anything."""

    async def open(self) -> None:
        """Do nothing."""

    async def hear(self) -> Heard:
        """Wait for ever."""
        await asyncio.Event().wait()
        return Heard()

    async def close(self) -> None:
        """Do nothing."""

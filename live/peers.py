"""The accounts of a session at one broker, over which its limits are judged together.

Each instrument has a cash of its own, but they share a broker's account: what is held, what waits
and what is free there is the sum of all. Prices are those of each instrument's last close.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol


class Exposure(NamedTuple):
    """What one account, or all of them, have at the broker, in the quote currency.

    gross, net: worth of positions and of the entries that wait; shorts counted up, and down
    open_orders: orders that wait, stops that rest left out; equity: on the last closes
    """

    gross: float
    net: float
    open_orders: float
    equity: float


class Exposed(Protocol):
    """An account that says what it has at the broker."""

    def exposure(self) -> Exposure:
        """Return it."""
        ...


class Peers:
    """All accounts of a session, in their order."""

    def __init__(self) -> None:
        """Make it empty; each account adds itself."""
        self.books: list[Exposed] = []

    def exposure(self) -> Exposure:
        """Return the sum over all accounts; what is not a number in one is none in the sum."""
        parts = [book.exposure() for book in self.books]
        return Exposure(*(math.fsum(column) for column in zip(*parts, strict=True)))


def free(over: Exposure, power: float, own: float) -> float:
    """Return the money that is free for an entry: the account's own, and at most that of all.

    power: how many times the equity may be held
    """
    return min(own, over.equity * power - over.gross)

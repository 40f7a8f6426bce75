"""Invariants that hold after each event; a violation is our fault, and halts the session."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from live.account import Book, is_near
from live.events import Derived, FillBooked, Held, Intended, OrderChanged, Valued

NEAR = 1e-9
ROOM = 64  # orders that are remembered beyond those that the account remembers


class Audit:
    """The sums of an account's events beside its record; each checks the other.

    instruments: those that it trades
    is_new: whether the account begins now. One that goes on from a kept state is audited, for each
        instrument, from the first close on which it holds nothing
    """

    def __init__(self, instruments: Sequence[str], *, is_new: bool = True) -> None:
        self._trips = {name: _Trip() if is_new else None for name in instruments}
        self._intended: set[str] | None = set() if is_new else None

    def faults(self, book: Book, told: Sequence[Derived]) -> list[str]:
        """Return what does not add up after an account told these events; nothing where all does.

        Its position is the sum of its fills, its cash what they leave of it, and its average price
        that of its fills, within 1e-9; no order fills or changes that was not intended before.
        """
        faults = book.faults()
        intended = self._known(book, told)
        for event in told:
            if isinstance(event, Intended):
                intended.add(event.order.client_order_id)
            elif isinstance(event, OrderChanged):
                if event.order.client_order_id not in intended:
                    faults.append(f"the order {event.order.client_order_id} was never intended")
            elif isinstance(event, FillBooked):
                if event.client_order_id not in intended:
                    faults.append(f"a fill of {event.client_order_id}, which was never intended")
                self._take(event)
            elif isinstance(event, Valued):
                faults += self._averages(event.positions)
        for order in book.orders.open:
            if order.filled_units and not order.filled_units > 0.0:
                number = order.client_order_id
                faults.append(f"the order {number} has {order.filled_units!r} filled")
            if order.filled_units and is_near(order.average_price, 0.0):
                faults.append(f"the order {order.client_order_id} was filled at no price")
        return faults

    def _known(self, book: Book, told: Iterable[Derived]) -> set[str]:
        """Return the orders that were intended before these events."""
        known = book.orders.known
        if self._intended is None:
            new = [one for one in told if isinstance(one, Intended) and not one.is_again]
            self._intended = set(known) - {one.order.client_order_id for one in new}
        elif len(self._intended) > len(known) + ROOM:
            self._intended &= known.keys()
        return self._intended

    def _take(self, event: FillBooked) -> None:
        trip = self._trips.get(event.instrument)
        if trip is not None:
            trip.take(event.units if event.side == "buy" else -event.units, event.price)

    def _averages(self, held: Sequence[Held]) -> list[str]:
        found: list[str] = []
        by_name = {one.instrument: one for one in held}
        for name, trip in self._trips.items():
            one = by_name.get(name)
            if one is None:
                self._trips[name] = trip or _Trip()
            elif trip is not None and not math.isclose(
                trip.average, one.average_price, rel_tol=NEAR
            ):
                text = f"average price {one.average_price!r} is not that of its fills"
                found.append(f"{name}: {text} {trip.average!r}")
        return found


class _Trip:
    """The fills of a position since it was opened."""

    def __init__(self) -> None:
        self._units, self._opened, self._paid = 0.0, 0.0, 0.0

    @property
    def average(self) -> float:
        """Return the average price of what opened the position; NaN where nothing did."""
        return self._paid / self._opened if self._opened else math.nan

    def take(self, units: float, price: float) -> None:
        """Take a fill. units: signed; what goes beyond the position opens the other side."""
        before, self._units = self._units, self._units + units
        if abs(self._units) <= NEAR * self._opened:
            self._units, self._opened, self._paid = 0.0, 0.0, 0.0
        elif before * self._units <= 0.0:
            self._opened, self._paid = abs(self._units), abs(self._units) * price
        elif before * units > 0.0:
            self._opened, self._paid = self._opened + abs(units), self._paid + abs(units) * price

"""What must hold after each event; what does not is a fault of ours, and halts the session."""

from __future__ import annotations

from collections.abc import Iterable

from live.account import Book, is_near
from live.events import Derived, FillBooked, Intended, OrderChanged


def faults_of(book: Book, told: Iterable[Derived]) -> list[str]:
    """Return what does not add up in an account after it told these events; nothing where all does.

    Its position is the sum of its fills, its cash what they leave of it, and its average price that
    of its fills, within 1e-9; no order fills or changes that was not intended before.
    """
    faults = book.faults()
    known = set(book.orders.known)
    for event in told:
        if isinstance(event, Intended):
            known.add(event.order.client_order_id)
        elif isinstance(event, OrderChanged):
            if event.order.client_order_id not in known:
                faults.append(f"the order {event.order.client_order_id} was never intended")
        elif isinstance(event, FillBooked) and event.client_order_id not in known:
            faults.append(f"a fill of {event.client_order_id}, which was never intended")
    for order in book.orders.open:
        if order.filled_units and not order.filled_units > 0.0:
            faults.append(f"the order {order.client_order_id} has {order.filled_units!r} filled")
        if order.filled_units and is_near(order.average_price, 0.0):
            faults.append(f"the order {order.client_order_id} was filled at no price")
    return faults

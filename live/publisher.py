"""Tell Kafka what is in the logs of sessions: orders, fills and accounts, at least once.

The log is read by its numbers from where the cursor in Postgres stands, and the cursor is set after
Kafka has confirmed. A process that dies in between sends the same again.
"""

from __future__ import annotations

import math
from uuid import UUID

from live.events import FillBooked, Intended, OrderChanged, Valued, decode
from live.orders import Order
from mela.instants import from_ms
from mela.settings import Settings
from mela.trading_messages import (
    FILLS,
    ORDERS,
    POSITIONS,
    FillTold,
    Holding,
    OrderTold,
    PositionsTold,
)
from messaging.codec import Encoded
from messaging.publisher import Publisher, publisher_of
from warehouse.database import transaction
from warehouse.trading import published
from warehouse.trading.published import LogLine

KINDS = frozenset(kind.__name__ for kind in (Intended, OrderChanged, FillBooked, Valued))
MOST = 5_000  # events of one session and pass
OWNER = "live"


def publish_new(settings: Settings, publisher: Publisher | None = None) -> int:
    """Tell what is new in all logs; return how many messages Kafka has confirmed.

    Raises SourceUnavailable if Kafka does not take them; nothing counts as told then.
    """
    publisher = publisher or publisher_of(settings, owner=OWNER)
    sent = 0
    with transaction(settings) as connection:
        if not published.alone(connection):
            return 0
        reached: dict[UUID, int] = {}
        for cursor in published.cursors(connection):
            lines, until = published.read_events(connection, cursor, KINDS, MOST)
            for line in lines:
                message = message_of(cursor.session_id, line)
                publisher.send(message.topic, message.key, message.value)
                sent += 1
            reached[cursor.session_id] = until
        publisher.flush()
        for session_id, seq in reached.items():
            published.set_told(connection, session_id, seq)
    return sent


def message_of(session_id: UUID, line: LogLine) -> Encoded:
    """Return the message that tells an event. Raises ValueError for a kind that is not told."""
    event = decode(line.kind, line.document)
    match event:
        case Intended(order=order) | OrderChanged(order=order):
            told = _order(session_id, line.seq, order)
            return Encoded(ORDERS, told.key, told.to_bytes())
        case FillBooked():
            told = FillTold(
                session_id=session_id,
                seq=line.seq,
                fill_id=event.fill_id,
                client_order_id=event.client_order_id,
                instrument=event.instrument,
                side=event.side,
                units=event.units,
                price=event.price,
                fee=event.fee,
                at=from_ms(event.at_ms),
            )
            return Encoded(FILLS, told.key, told.to_bytes())
        case Valued():
            told = _account(session_id, line.seq, event)
            return Encoded(POSITIONS, told.key, told.to_bytes())
        case _:
            raise ValueError(f"expected one of {sorted(KINDS)}, but found {line.kind}")


def _order(session_id: UUID, seq: int, order: Order) -> OrderTold:
    return OrderTold(
        session_id=session_id,
        seq=seq,
        client_order_id=order.client_order_id,
        broker_order_id=order.broker_order_id or None,
        instrument=order.instrument,
        leg=order.leg,
        side=order.side,
        kind=order.kind,
        units=_known(order.units),
        level=_known(order.level),
        reason=order.reason,
        state=order.state.value,
        filled_units=order.filled_units,
        average_price=_known(order.average_price),
        fees=order.fees,
        decided_at=from_ms(order.candle_ms),
        intended_at=from_ms(order.intended_ms),
        changed_at=from_ms(order.changed_ms) if order.changed_ms else None,
        why=order.why or None,
    )


def _account(session_id: UUID, seq: int, event: Valued) -> PositionsTold:
    return PositionsTold(
        session_id=session_id,
        seq=seq,
        account=event.account,
        opened_at=from_ms(event.opened_ms),
        equity=_known(event.equity),
        cash=_known(event.cash),
        positions=tuple(
            Holding(
                instrument=one.instrument,
                units=one.units,
                average_price=_known(one.average_price),
                price=_known(one.price),
                value=_known(one.value),
            )
            for one in event.positions
        ),
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

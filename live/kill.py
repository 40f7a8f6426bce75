"""The kill switch, carried out at the broker: cancel all, see that all is cancelled, flatten.

It needs nothing of the process that trades, which may hang. Who sets the switch stores that first,
so that whoever wakes up later gives no order.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from live.broker_hub import prefix_of
from live.broker_requests import patiently
from live.brokers.protocol import (
    Broker,
    BrokerBusy,
    BrokerOrder,
    BrokerRefused,
    OrderRequest,
    Unanswered,
)
from live.journal import Journal
from mela.settings import Settings
from warehouse.trading.latches import Latch
from warehouse.trading.locks import carrying_out
from warehouse.trading.sessions import StoredSession

LOG = structlog.get_logger(__name__)
PATIENCE_S = 30.0
LOOK_S = 0.1
Open = Callable[[str], Broker]


@dataclass
class Killed:
    """What was done at the broker.

    cancelled: orders that were open; left: those that still are; flattened: what was held, signed
    held: what still is, where it was to be flattened; faults: what the broker said against it
    """

    cancelled: list[str] = field(default_factory=list[str])
    left: list[str] = field(default_factory=list[str])
    flattened: dict[str, float] = field(default_factory=dict[str, float])
    held: dict[str, float] = field(default_factory=dict[str, float])
    faults: list[str] = field(default_factory=list[str])

    @property
    def is_done(self) -> bool:
        """Tell whether nothing is left to do."""
        return not self.left and not self.held

    def words(self) -> str:
        """Return the report as JSON, as it is stored."""
        return json.dumps({name: getattr(self, name) for name in self.__dataclass_fields__})

    def sentence(self) -> str:
        """Return the report for people."""
        said = [f"{len(self.cancelled)} orders cancelled"]
        if self.left:
            said.append(f"STILL OPEN: {', '.join(self.left)}")
        if self.flattened:
            said.append(f"flattened {_held(self.flattened)}")
        if self.held:
            said.append(f"STILL HELD: {_held(self.held)}")
        return "; ".join(said + self.faults)


async def carry_out(
    settings: Settings,
    latch: Latch,
    sessions: Sequence[StoredSession],
    open_broker: Open,
    patience_s: float = PATIENCE_S,
    *,
    even_if_another: bool = False,
) -> Killed | None:
    """Carry a kill switch out for some sessions, and store what was done.

    even_if_another: whether to do so while another process is at it, which may hang
    Returns None where another process is at it.
    """
    with carrying_out(settings, latch.latch_id) as is_mine:
        if not (is_mine or even_if_another):
            return None
        done = Killed()
        for money in sorted({one.money for one in sessions if is_outside(one)}):
            theirs = [one for one in sessions if is_outside(one) and one.money == money]
            broker = open_broker(money)
            try:
                await _clear(broker, latch, theirs, done, patience_s)
            finally:
                await broker.stop()
        Journal(settings).report(latch.latch_id, done.words())
    LOG.warning("kill_switch", latch=latch.latch_id, report=done.sentence())
    return done


def is_outside(session: StoredSession) -> bool:
    """Tell whether a session's orders are at a broker outside."""
    return not session.broker.startswith("paper")


async def _clear(
    broker: Broker,
    latch: Latch,
    sessions: Sequence[StoredSession],
    done: Killed,
    patience_s: float,
) -> None:
    until = time.monotonic() + patience_s
    prefixes = tuple(prefix_of(one.session_id) for one in sessions)
    while ours := await _open(broker, prefixes):
        done.left = [order.client_order_id for order in ours]
        if time.monotonic() > until:
            return
        for order in ours:
            await _cancel(broker, order, done)
        await asyncio.sleep(LOOK_S)
    done.left = []
    if latch.is_flattening:
        for one in sessions:
            await _flatten(broker, latch, one, done, until)


async def _open(broker: Broker, prefixes: tuple[str, ...]) -> list[BrokerOrder]:
    found = await patiently(broker.open_orders)
    return [order for order in found if order.client_order_id.startswith(prefixes)]


async def _cancel(broker: Broker, order: BrokerOrder, done: Killed) -> None:
    if order.client_order_id not in done.cancelled:
        done.cancelled.append(order.client_order_id)
    try:
        await broker.cancel(order.broker_order_id)
    except (
        BrokerRefused,
        BrokerBusy,
        Unanswered,
    ) as error:  # the next look tells what became of it
        LOG.info("cancel_not_taken", order=order.client_order_id, reason=str(error))


async def _flatten(
    broker: Broker, latch: Latch, session: StoredSession, done: Killed, until: float
) -> None:
    """Close what a session's instruments are held of; no other session of the account has them."""
    attempt = 0
    while True:
        held = {
            one.instrument: one.units
            for one in await patiently(broker.positions)
            if one.instrument in session.instruments and one.units
        }
        for instrument in session.instruments:
            done.held.pop(instrument, None)
        done.held |= held
        if not held or time.monotonic() > until:
            return
        if not await _open(broker, (prefix_of(session.session_id),)):
            for instrument, units in held.items():
                done.flattened.setdefault(instrument, units)
                number = _number(session, latch, instrument, attempt)
                await _close(broker, number, instrument, units, done)
            attempt += 1
        await asyncio.sleep(LOOK_S)


async def _close(broker: Broker, number: str, instrument: str, units: float, done: Killed) -> None:
    request = OrderRequest(number, instrument, "sell" if units > 0 else "buy", abs(units))
    try:
        await broker.submit(request)
    except (BrokerRefused, BrokerBusy, Unanswered) as error:  # looked at again before the next one
        done.faults.append(f"{instrument}: {error}")


def _number(session: StoredSession, latch: Latch, instrument: str, attempt: int) -> str:
    """Return the id of an order that flattens: another one for each attempt of each switch."""
    digest = hashlib.sha256(instrument.encode()).hexdigest()[:8]
    return f"{prefix_of(session.session_id)}-kill{latch.latch_id}-{digest}-{attempt}"


def _held(units: dict[str, float]) -> str:
    return ", ".join(f"{amount:g} {name}" for name, amount in units.items())

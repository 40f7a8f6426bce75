"""Clear the sessions of one account of a broker: cancel orders, close positions.

It looks until nothing is left, twice, with a moment in between: an order that was on its way shows
then. All of it has one limit of time, however the broker behaves; what is left then is said.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields

import structlog

from live.broker_hub import DIGITS, is_of_kill, prefix_of
from live.broker_requests import patiently
from live.brokers.protocol import (
    Broker,
    BrokerBusy,
    BrokerOrder,
    BrokerPosition,
    BrokerRefused,
    Unanswered,
)
from live.closing import Closing, closing_prefix
from mela.errors import MelaError
from warehouse.trading.sessions import StoredSession

LOG = structlog.get_logger(__name__)
LOOK_S, LONGEST_LOOK_S = 0.1, 1.0
AGAIN_S = 1.0  # between the last two looks; also until a cancel is asked again
STOP_S = 5.0


@dataclass
class Killed:
    """The actions at the broker.

    cancelled: orders that were open; left: those that still are; flattened: what was held, signed
    held: what still is, where it was to be flattened; faults: what the broker said against it
    unanswered: accounts of which nobody knows what they have, and why
    """

    cancelled: list[str] = field(default_factory=list[str])
    left: list[str] = field(default_factory=list[str])
    flattened: dict[str, float] = field(default_factory=dict[str, float])
    held: dict[str, float] = field(default_factory=dict[str, float])
    faults: list[str] = field(default_factory=list[str])
    unanswered: list[str] = field(default_factory=list[str])

    @property
    def is_done(self) -> bool:
        """Tell whether nothing is left to do."""
        return not (self.left or self.held or self.unanswered)

    def words(self) -> str:
        """Return the report as JSON, as it is stored."""
        return json.dumps({name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def read(cls, words: str) -> Killed:
        """Return a report that was stored, also by an earlier release."""
        known = json.loads(words)
        return cls(**{one.name: known[one.name] for one in fields(cls) if one.name in known})

    def add(self, other: Killed) -> None:
        """Add what was done at another account."""
        self.cancelled += other.cancelled
        self.left += other.left
        self.faults += other.faults
        self.unanswered += other.unanswered
        for mine, more in ((self.flattened, other.flattened), (self.held, other.held)):
            for name, units in more.items():
                mine[name] = mine.get(name, 0.0) + units

    def sentence(self) -> str:
        """Return the report for people."""
        said = [f"{len(self.cancelled)} orders cancelled"]
        if self.left:
            said.append(f"STILL OPEN: {', '.join(self.left)}")
        if self.flattened:
            said.append(f"flattened {_held(self.flattened)}")
        if self.held:
            said.append(f"STILL HELD: {_held(self.held)}")
        said += [f"NOBODY KNOWS: {one}" for one in self.unanswered]
        return "; ".join(said + self.faults)


class Clearing:
    """Clears what some sessions have at one account.

    closings: the positions to close, none where they are kept; orders that close them stay
    """

    def __init__(
        self,
        broker: Broker,
        sessions: Sequence[StoredSession],
        closings: Sequence[Closing] = (),
        *,
        spares_kills: bool = False,
    ) -> None:
        """Make it; `clear` begins. spares_kills: whether orders of any kill switch stay."""
        self._broker, self._closings, self._spares_kills = broker, closings, spares_kills
        self._prefixes = tuple(prefix_of(one.session_id) for one in sessions)
        self._own = tuple(closing_prefix(one.session) for one in closings)
        self._asked: dict[str, float] = {}
        self._looked = 0.0
        self.done = Killed()

    async def clear(self, patience_s: float) -> Killed:
        """Clear it within so many seconds, and return what was done."""
        try:
            async with asyncio.timeout(patience_s):
                await self._clear()
        except TimeoutError:
            if time.monotonic() - self._looked > min(patience_s, 2 * LONGEST_LOOK_S):
                self._say_unanswered(f"the broker did not answer within {patience_s:g} s")
        except MelaError as error:
            self._say_unanswered(str(error))
        for one in self._closings:
            words = one.words()
            self.done.faults += [*one.faults, *([words] if words else [])]
        return self.done

    def _say_unanswered(self, why: str) -> None:
        self.done.unanswered.append(why)

    async def _clear(self) -> None:
        pause_s, clean_since = LOOK_S, None
        while True:
            is_clean = await self._look()
            self._looked = now = time.monotonic()
            if not is_clean:
                clean_since = None
            elif clean_since is None:
                clean_since = now
            elif now - clean_since >= AGAIN_S:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(1.5 * pause_s, LONGEST_LOOK_S)  # a broker answers so many requests only

    async def _look(self) -> bool:
        """Look once, and ask for what is to be done; tell whether nothing is left."""
        found = await patiently(self._broker.open_orders)
        ours = [one for one in found if self._is_meant(one.client_order_id)]
        self.done.left = [order.client_order_id for order in ours]
        if ours:
            await asyncio.gather(*(self._cancel(order) for order in ours))
        if not self._closings:
            return not ours
        positions = {one.instrument: one for one in await patiently(self._broker.positions)}
        begun = {order.client_order_id[:DIGITS] for order in ours}
        steps = [self._step(one, positions.get(one.instrument), begun) for one in self._closings]
        await asyncio.gather(*steps)
        self.done.held = {one.instrument: one.held for one in self._closings if one.held}
        return not ours and not self.done.held

    def _is_meant(self, number: str) -> bool:
        if not number.startswith(self._prefixes) or number.startswith(self._own):
            return False
        return not (self._spares_kills and is_of_kill(number))

    async def _cancel(self, order: BrokerOrder) -> None:
        number, now = order.client_order_id, time.monotonic()
        if now - self._asked.get(number, -AGAIN_S) < AGAIN_S:
            return
        self._asked[number] = now
        if number not in self.done.cancelled:
            self.done.cancelled.append(number)
        try:
            await self._broker.cancel(order.broker_order_id)
        except (BrokerRefused, BrokerBusy, Unanswered) as error:  # the next look tells
            LOG.info("cancel_not_taken", order=number, reason=str(error))

    async def _step(self, one: Closing, there: BrokerPosition | None, begun: set[str]) -> None:
        told = 0.0 if there is None else there.units
        one.price = math.nan if there is None else there.price
        may_send = prefix_of(one.session.session_id) not in begun
        held = await one.step(self._broker, told, may_send=may_send)
        if held:
            self.done.flattened.setdefault(one.instrument, held)


async def stopped(broker: Broker) -> None:
    """Close a broker's connections, within seconds."""
    with suppress(TimeoutError, MelaError):
        await asyncio.wait_for(broker.stop(), STOP_S)


def _held(units: dict[str, float]) -> str:
    return ", ".join(f"{amount:g} {name}" for name, amount in units.items())

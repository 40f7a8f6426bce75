"""A session's requests to its broker: each is sent once, and each answer becomes an event.

Requests of one instrument go one after the other, those of several side by side. A request whose
answer did not come is never sent again: the order is looked up by its id. A request that the
session no longer wants when its turn comes is not sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from live.brokers.protocol import (
    Broker,
    BrokerBusy,
    BrokerFill,
    BrokerOrder,
    BrokerRefused,
    IdUsed,
    OrderRequest,
    Unanswered,
)
from live.clock import Clock
from live.events import Filled, Input, LookedUp, OrderAnswered
from live.orders import Order, OrderState
from mela.errors import MelaError

LOG = structlog.get_logger(__name__)
SIDE_BY_SIDE = 8
BUSY_S, LONGEST_BUSY_S = 0.5, 30.0
TRIES = 5  # of an entry that the broker says it did not take, and of a cancel
ENTRY_S = 60.0  # an entry that could not leave for so long is no longer the answer to its candle
LOOK_S = 0.2  # a wait looks so often whether its order is meant still
Reached = Callable[[str], None]
T = TypeVar("T")
# A broker that says `filled` tells the fills besides, and they are what counts.
_STATES = {
    "accepted": OrderState.ACCEPTED,
    "partly_filled": OrderState.ACCEPTED,
    "filled": OrderState.ACCEPTED,
    "cancelled": OrderState.CANCELLED,
    "rejected": OrderState.REJECTED,
    "expired": OrderState.EXPIRED,
}
_OPEN = frozenset({"accepted", "partly_filled"})


@dataclass
class Requests:
    """The requests of one session.

    put: takes an event; is_latched: asks whether the kill switch is set, right before an order
    doubt_s: how long an order that the broker does not know may still be on its way there
    reached: is told each point that was passed, for tests that end the process there
    """

    broker: Broker
    clock: Clock
    put: Callable[[Input], None]
    is_latched: Callable[[], Awaitable[bool]]
    doubt_s: float = 1.0
    reached: Reached = lambda _: None
    _lanes: dict[str, asyncio.Lock] = field(default_factory=dict[str, asyncio.Lock])
    _numbers: dict[str, str] = field(default_factory=dict[str, str])
    _withdrawn: set[str] = field(default_factory=set[str])
    _asking: Counter[str] = field(default_factory=Counter[str])
    _since_s: dict[str, float] = field(default_factory=dict[str, float])  # asked to leave
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SIDE_BY_SIDE))

    @property
    def waiting(self) -> int:
        """Return how many requests are under way or wait for their turn."""
        return len(self._tasks)

    def is_asking(self, client_order_id: str) -> bool:
        """Tell whether a request of an order is under way or waits for its turn."""
        return self._asking[client_order_id] > 0

    def submit(self, order: Order) -> None:
        """Send an order whose intention is stored."""
        self._since_s[order.client_order_id] = monotonic()
        self._begin(order, self._submit)

    def cancel(self, order: Order) -> None:
        """Ask to cancel an order; one that still waits to leave stays here."""
        self._withdrawn.add(order.client_order_id)
        self._begin(order, self._cancel)

    def look_up(self, order: Order) -> None:
        """Look an order up by its id."""
        self._begin(order, self._look_up)

    async def finish(self) -> None:
        """Wait for all requests that were asked for so far."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self) -> None:
        """Give all requests up; what they were is looked up at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def told(self, update: BrokerOrder | BrokerFill) -> None:
        """Hear what the broker tells of an order of this session by itself."""
        if isinstance(update, BrokerOrder):
            self._numbers[update.client_order_id] = update.broker_order_id
            self.put(answered(update))
        else:
            self.put(filled(update))

    def _begin(self, order: Order, work: Callable[[Order], Awaitable[None]]) -> None:
        lane = self._lanes.setdefault(order.instrument, asyncio.Lock())
        self._asking[order.client_order_id] += 1

        async def in_turn() -> None:
            async with lane, self._room:
                await work(order)

        task = asyncio.create_task(in_turn())
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, order.client_order_id))

    def _ended(self, number: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._asking[number] -= 1
        if not self.is_asking(number):
            self._since_s.pop(number, None)
        self._asking += Counter[str]()  # drops what is no longer asked
        if not task.cancelled() and task.exception() is not None:
            LOG.error("request_failed", error=str(task.exception()), exc_info=task.exception())

    async def _submit(self, order: Order) -> None:
        """Send an order until the broker has answered; exits as long as they are meant."""
        number, tries, wait_s = order.client_order_id, 0, BUSY_S
        while not await self._is_held_back(order):
            try:
                taken = await self.broker.submit(request_of(order))
            except BrokerBusy as busy:  # it says that it did not take the order
                tries += 1
                if tries == TRIES and order.leg == "enter":
                    self._answer(number, OrderState.REJECTED, f"the broker was busy {TRIES} times")
                    return
                await self._pause(number, busy.retry_after_s or wait_s)
                wait_s = min(2 * wait_s, LONGEST_BUSY_S)
            except (Unanswered, IdUsed) as error:
                self._doubted(number, error)
                return
            except (BrokerRefused, ValueError) as error:  # nothing left, or it was not taken
                self.reached("refused")
                self._answer(number, OrderState.REJECTED, str(error))
                return
            except Exception as error:  # whatever it is, the order may have left
                LOG.exception("order_in_doubt", order=number)
                self._doubted(number, error)
                return
            else:
                self.reached("submitted")
                self.told(taken)
                return

    def _doubted(self, number: str, error: Exception) -> None:
        self.reached("unanswered")
        self._answer(number, OrderState.UNKNOWN, str(error))

    async def _is_held_back(self, order: Order) -> bool:
        """Tell whether an order must not leave any more, and say so of it.

        While nobody can say whether the kill switch is set, it waits.
        """
        number, wait_s = order.client_order_id, BUSY_S
        while not (why := self._outdated(order)):
            try:
                is_latched = await self.is_latched()
            except (MelaError, SQLAlchemyError, OSError) as error:
                LOG.warning("kill_switch_unknown", order=number, reason=str(error))
                await self._pause(number, wait_s)
                wait_s = min(2 * wait_s, LONGEST_BUSY_S)
                continue
            why = "the kill switch was set before it left" if is_latched else self._outdated(order)
            break
        if why:
            self._answer(number, OrderState.CANCELLED, why)
        return bool(why)

    def _outdated(self, order: Order) -> str:
        """Return why an order is not meant any more, nothing where it is."""
        waited_s = monotonic() - self._since_s[order.client_order_id]
        if order.client_order_id in self._withdrawn:
            return "it was withdrawn before it left"
        if order.leg == "enter" and waited_s > ENTRY_S:
            return f"it could not leave for more than {ENTRY_S:.0f} s: it is too late to enter"
        return ""

    async def _pause(self, number: str, seconds: float) -> None:
        """Wait, but no longer than an order is meant."""
        until = monotonic() + seconds
        while number not in self._withdrawn and (left := until - monotonic()) > 0.0:
            await asyncio.sleep(min(left, LOOK_S))

    async def _cancel(self, order: Order) -> None:
        """Ask to cancel an order until it is over, several times at most."""
        number = order.client_order_id
        self._withdrawn.discard(number)
        found, wait_s = await self._cancelled(order), BUSY_S
        for _ in range(TRIES - 1):
            if found is None or found.state not in _OPEN:
                break
            await asyncio.sleep(wait_s)
            wait_s *= 2
            found = await self._cancelled(order)
        self.reached("cancelled")
        if found is None:
            self._look(order, None)
            return
        await self._tell_fills(order, found)
        self.told(found)

    async def _cancelled(self, order: Order) -> BrokerOrder | None:
        """Ask once to cancel an order; return it as the broker has it then, None if it has none."""
        number = self._numbers.get(order.client_order_id) or order.broker_order_id
        if not number:
            found = await self._asked(order)
            if found is None or found.state not in _OPEN:
                return found
            number = found.broker_order_id
        try:
            await self.broker.cancel(number)
        except BrokerBusy as busy:
            LOG.info("cancel_not_taken", order=order.client_order_id, reason=str(busy))
            await asyncio.sleep(min(busy.retry_after_s or 0.0, LONGEST_BUSY_S))
        except (Unanswered, BrokerRefused) as error:
            LOG.info("cancel_not_taken", order=order.client_order_id, reason=str(error))
        return await self._asked(order)

    async def _look_up(self, order: Order) -> None:
        """Look an order up; where the broker refuses to say, the next comparison asks again."""
        try:
            found = await self._asked(order)
            if found is None:  # the request may be on its way still
                await asyncio.sleep(self.doubt_s)
                found = await self._asked(order)
        except BrokerRefused as error:
            LOG.warning("order_not_looked_up", order=order.client_order_id, reason=str(error))
            return
        self.reached("looked_up")
        await self._tell_fills(order, found)
        self._look(order, found)

    async def _tell_fills(self, order: Order, found: BrokerOrder | None) -> None:
        """Put an order's fills before the word that it is over, from which the next order follows.

        What was told already counts once.
        """
        if found is None or found.filled_units <= order.filled_units:
            return
        for fill in await self._fills(order.intended_ms):
            if fill.client_order_id == order.client_order_id:
                self.put(filled(fill))

    def _look(self, order: Order, found: BrokerOrder | None) -> None:
        now = self.clock.now_ms()
        if found is None:
            one = LookedUp(order.client_order_id, False, OrderState.UNKNOWN, "", now)
        else:
            self._numbers[order.client_order_id] = found.broker_order_id
            state = _STATES[found.state]
            one = LookedUp(
                order.client_order_id, True, state, found.broker_order_id, now, found.why
            )
        self.put(one)

    async def _asked(self, order: Order) -> BrokerOrder | None:
        return await patiently(lambda: self.broker.lookup(order.client_order_id))

    async def _fills(self, since_ms: int) -> list[BrokerFill]:
        return list(await patiently(lambda: self.broker.fills(since_ms)))

    def _answer(self, number: str, state: OrderState, why: str) -> None:
        self.put(OrderAnswered(number, state, "", self.clock.now_ms(), why))


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask something that does no harm until it is answered."""
    wait_s = BUSY_S
    while True:
        try:
            return await ask()
        except BrokerBusy as busy:
            await asyncio.sleep(busy.retry_after_s or wait_s)
            wait_s = min(2 * wait_s, LONGEST_BUSY_S)


def request_of(order: Order) -> OrderRequest:
    """Return an order as a broker is asked for it: outside the session as a limit of the day."""
    if order.outside is not None:
        return OrderRequest(
            order.client_order_id,
            order.instrument,
            order.side,
            order.units,
            "limit",
            limit_price=order.outside,
            good_for="day",
            is_extended_hours=True,
        )
    return OrderRequest(
        order.client_order_id,
        order.instrument,
        order.side,
        order.units,
        order.kind,
        limit_price=order.level if order.kind == "limit" else None,
        stop_price=order.level if order.kind == "stop" else None,
    )


def answered(order: BrokerOrder) -> OrderAnswered:
    """Return what a broker says of an order, as an event."""
    state = _STATES[order.state]
    return OrderAnswered(
        order.client_order_id, state, order.broker_order_id, order.at_ms, order.why
    )


def filled(fill: BrokerFill) -> Filled:
    """Return an execution, as an event."""
    return Filled(
        fill.client_order_id,
        fill.fill_id,
        fill.instrument,
        fill.side,
        fill.units,
        fill.price,
        fill.fee,
        fill.at_ms,
    )

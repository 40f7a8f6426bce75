"""What a session asks its broker: each request once, and each answer back as an event.

Requests of one instrument go one after the other, those of several side by side. A request whose
answer did not come is never sent again: the order is looked up by its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

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

LOG = structlog.get_logger(__name__)
SIDE_BY_SIDE = 8
BUSY_S, LONGEST_BUSY_S = 0.5, 30.0
TRIES = 5  # of a request that the broker says it did not take
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
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SIDE_BY_SIDE))

    @property
    def waiting(self) -> int:
        """Return how many requests are under way or wait for their turn."""
        return len(self._tasks)

    def submit(self, order: Order) -> None:
        """Send an order whose intention is stored."""
        self._begin(order.instrument, self._submit(order))

    def cancel(self, order: Order) -> None:
        """Ask to cancel an order."""
        self._begin(order.instrument, self._cancel(order))

    def look_up(self, order: Order) -> None:
        """Look an order up by its id."""
        self._begin(order.instrument, self._look_up(order))

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

    def _begin(self, instrument: str, work: Awaitable[None]) -> None:
        lane = self._lanes.setdefault(instrument, asyncio.Lock())

        async def in_turn() -> None:
            async with lane, self._room:
                await work

        task = asyncio.create_task(in_turn())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            LOG.error("request_failed", error=str(task.exception()), exc_info=task.exception())

    async def _submit(self, order: Order) -> None:
        number = order.client_order_id
        wait_s = BUSY_S
        for _ in range(TRIES):
            if await self.is_latched():
                self._answer(number, OrderState.CANCELLED, "the kill switch was set before it left")
                return
            try:
                taken = await self.broker.submit(request_of(order))
            except BrokerBusy as busy:  # it says that it did not take the order
                await asyncio.sleep(busy.retry_after_s or wait_s)
                wait_s = min(2 * wait_s, LONGEST_BUSY_S)
                continue
            except (Unanswered, IdUsed) as error:
                self.reached("unanswered")
                self._answer(number, OrderState.UNKNOWN, str(error))
                return
            except BrokerRefused as error:
                self.reached("refused")
                self._answer(number, OrderState.REJECTED, str(error))
                return
            self.reached("submitted")
            self.told(taken)
            return
        self._answer(number, OrderState.REJECTED, f"the broker was busy {TRIES} times")

    async def _cancel(self, order: Order) -> None:
        number = self._numbers.get(order.client_order_id) or order.broker_order_id
        if not number:
            found = await self._asked(order)
            if found is None:
                self._look(order, None)
                return
            number = found.broker_order_id
        try:
            await self.broker.cancel(number)
        except (Unanswered, BrokerRefused, BrokerBusy) as error:
            LOG.info("cancel_not_taken", order=order.client_order_id, reason=str(error))
        self.reached("cancelled")
        found = await self._asked(order)
        if found is not None:
            await self._tell_fills(order, found)
            self.told(found)

    async def _look_up(self, order: Order) -> None:
        found = await self._asked(order)
        if found is None:  # the request may be on its way still
            await asyncio.sleep(self.doubt_s)
            found = await self._asked(order)
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
    """Return an order as a broker is asked for it."""
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

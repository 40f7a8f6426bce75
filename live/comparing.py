"""Ours against the broker's: at the start, and every so often.

First what we may have missed becomes events: fills, and what became of orders that the broker no
longer calls open. Then both sides are compared; the engine takes the rules from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress

import structlog

from live.account import is_near
from live.broker_books import BrokerBook
from live.broker_hub import is_of_kill, prefix_of
from live.broker_requests import Requests, filled, patiently
from live.brokers.protocol import Broker, BrokerFill, BrokerOrder, BrokerPosition
from live.clock import Clock
from live.engine import Engine
from live.events import Adopted, Difference, Input, Reconciled
from live.lending import tell_lent, tell_traded
from live.orders import UNANSWERED
from live.reconcile import Theirs, compare, theirs
from mela.errors import MelaError
from mela.settings import Settings
from warehouse.trading.sessions import StoredSession

LOG = structlog.get_logger(__name__)
OVERLAP_S = 60.0  # fills are asked for from so much before the last look
ASSETS_EVERY = 15  # looks: what an asset is changes seldom, and each is a request
STILL_S, MOST_LOOKS = 1.0, 4  # between two looks at positions that differ, and how many


class Comparing:
    """Compares one session with its broker's account.

    engine: the session as it is now; is_halted: whether the kill switch is set
    settled: returns once all that was asked is answered and taken
    others: returns the cash that sessions started earlier count on in the account
    """

    def __init__(
        self,
        broker: Broker,
        requests: Requests,
        clock: Clock,
        put: Callable[[Input], None],
        engine: Callable[[], Engine],
        is_halted: Callable[[], bool],
        session: StoredSession,
        settings: Settings,
        others: Callable[[], Awaitable[float]],
    ) -> None:
        """Make it."""
        self._others = others
        self._broker, self._requests, self._clock, self._put = broker, requests, clock, put
        self._engine, self._session, self._is_halted = engine, session, is_halted
        self._soon = asyncio.Event()
        self._every_s = settings.trading.reconcile_s
        self._prefix = prefix_of(session.session_id)
        self._since_ms: int | None = None
        self._unsure: set[str] = set()
        self._looks = 0

    async def at_start(self, settled: Callable[[], Awaitable[None]]) -> list[Difference]:
        """Compare for the first time; return the differences that end the session."""
        return await self._compare(settled, at_start=True)

    async def every_so_often(self, settled: Callable[[], Awaitable[None]]) -> None:
        """Compare again and again; never returns."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), self._every_s)
            self._soon.clear()
            try:
                await self._compare(settled, at_start=False)
            except MelaError as error:  # it is compared again soon
                LOG.warning("not_compared", session=self._session.name, reason=str(error))

    def soon(self) -> None:
        """Compare without waiting for the next time."""
        self._soon.set()

    async def now(self, settled: Callable[[], Awaitable[None]]) -> None:
        """Compare now."""
        await self._compare(settled, at_start=False)

    async def _compare(
        self, settled: Callable[[], Awaitable[None]], *, at_start: bool
    ) -> list[Difference]:
        """Compare; positions that differ are looked at again before anything follows from it.

        A broker's positions may lag behind its fills. What differs by the same a moment later does
        not come from that, also where an order is open that could explain it.
        """
        unsure, self._unsure = self._unsure & self._unanswered(), self._unanswered()
        now, before = self._clock.now_ms(), dict[str, tuple[float, float]]()
        found: tuple[Difference, ...] = ()
        for looks in range(1, MOST_LOOKS + 1):
            broker = await self._look(settled, unsure)
            ours = self._engine().ours()
            others = await self._others()
            found = compare(ours, broker, (), others)
            differ = {one.instrument: (one.ours, one.theirs) for one in found if _is_position(one)}
            still = {name for name, values in differ.items() if before.get(name) == values}
            if not differ or still == differ.keys() or looks == MOST_LOOKS:
                found = compare(ours, broker, still, others)
                break
            before = differ
            await asyncio.sleep(STILL_S)
        self._put(Reconciled(tuple(found), at_start, self._clock.now_ms()))
        self._since_ms = now
        return [one for one in found if one.rule == "stop"]

    def _unanswered(self) -> set[str]:
        books = [account.book for account in self._engine().accounts]
        open_ = [order for book in books for order in book.orders.open]
        return {one.client_order_id for one in open_ if one.state in UNANSWERED}

    async def _look(
        self, settled: Callable[[], Awaitable[None]], unsure: Collection[str]
    ) -> Theirs:
        """Return what the broker has, once what the session lacked of it is in its log.

        unsure: orders that had no answer at the last comparison either. One that has none for a
        moment may be about to leave: nobody asks for it yet
        """
        all_fills = await self._fills()
        fills = [fill for fill in all_fills if not is_of_kill(fill.client_order_id)]
        for fill in fills:
            self._put(filled(fill))
        orders = await self._orders()
        there = {order.client_order_id for order in orders}
        for account in self._engine().accounts:
            for order in account.book.orders.open:
                number = order.client_order_id
                is_gone = order.state not in UNANSWERED and number not in there
                if is_gone or (number in unsure and not self._requests.is_asking(number)):
                    self._requests.look_up(order)
        await settled()
        positions = await patiently(self._broker.positions)
        if self._is_halted():
            self._adopt([fill for fill in all_fills if fill not in fills], positions)
            await settled()
        money = await patiently(self._broker.account)
        await tell_lent(self._broker, money, self._clock, self._engine(), self._put)
        if self._looks % ASSETS_EVERY == 0:
            await tell_traded(self._broker, self._clock, self._engine(), self._put)
        self._looks += 1
        return theirs(orders, positions, money, fills)

    def _adopt(self, flattened: list[BrokerFill], positions: Sequence[BrokerPosition]) -> None:
        """Take over what the kill switch closed beside the session."""
        held = {one.instrument: one.units for one in positions}
        for account in self._engine().accounts:
            instrument = account.run.instrument
            if not isinstance(account.book, BrokerBook):
                continue
            ours, units = account.book.account.position, held.get(instrument, 0.0)
            closing = [fill for fill in flattened if fill.instrument == instrument]
            if closing and not is_near(ours, units):
                price = _price_of(closing, abs(ours - units))
                why = "the kill switch closed it"
                self._put(Adopted(instrument, units, price, 0.0, self._clock.now_ms(), why))

    async def _fills(self) -> list[BrokerFill]:
        since_ms = self._since_ms
        if since_ms is None:  # what came after the last candle that is in the log
            due = self._engine().next_open_ms()
            since_ms = min(2 * opened - key[1].end_ms(opened) for key, opened in due.items())
        overlap_ms = max(1000 * OVERLAP_S, self._clock.span_ms(OVERLAP_S))
        found = await patiently(lambda: self._broker.fills(round(since_ms - overlap_ms)))
        return [fill for fill in found if fill.client_order_id.startswith(self._prefix)]

    async def _orders(self) -> list[BrokerOrder]:
        found = await patiently(self._broker.open_orders)
        return [order for order in found if order.client_order_id.startswith(self._prefix)]


def _price_of(fills: list[BrokerFill], units: float) -> float:
    """Return the average price of the last fills that together are so many units."""
    left, paid = units, 0.0
    for fill in reversed(fills):
        part = min(fill.units, left)
        paid, left = paid + part * fill.price, left - part
    return paid / (units - left)


def _is_position(difference: Difference) -> bool:
    return difference.kind == "position"

"""One session in its process: events in order, stored before anybody acts on them.

Messages from outside go into an inbox. The engine takes it from there, event by event; what it
decided is stored with it in one transaction, and only then are requests made. An answer is an event
again. If it is interrupted, the log tells how far it came.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import structlog

from live.broker_requests import Requests
from live.brokers.protocol import BrokerFill, BrokerOrder, Update
from live.comparing import Comparing
from live.engine import Engine
from live.events import (
    Alerted,
    CancelIntended,
    CandleClosed,
    Commanded,
    CommandKind,
    Derived,
    Difference,
    FillBooked,
    HeadlineHeard,
    Input,
    Intended,
    LookupIntended,
    OrderChanged,
    Recovered,
    StateChanged,
    Wanted,
    encode,
    kind_of,
)
from live.feeds import FeedNotice, Listening, Said
from live.folding import SessionBroken, fold
from live.journal import Loaded
from live.kill import halts, is_outside
from live.orders import Order
from live.outside import Outside
from live.overdue import Overdue
from live.projections import RiskStates, project
from live.sharing import cash_before
from live.warming import warming
from mela.session import Session
from warehouse.trading.log import Entry, Rows
from warehouse.trading.sessions import StoredSession

LOG = structlog.get_logger(__name__)
AT_ONCE = 64  # events in one transaction, at most


class SessionRunner:
    """Runs one session until it has stopped."""

    def __init__(self, session: StoredSession, outside: Outside) -> None:
        """Make it; `run` begins. session: as it is stored now."""
        self.stored = session
        self._outside = outside
        self._inbox: deque[Input] = deque()
        self._has_come = asyncio.Event()
        self._came = self._taken = 0
        self._seq = 0
        self._kept_seq = 0
        self._engine = Engine(outside.catalogue)
        self._risk: RiskStates = {}
        self._state = session.state
        self._orders: dict[str, Order] = {}
        self._requests: Requests | None = None
        self._comparing: Comparing | None = None
        self._overdue: Overdue | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._background: set[asyncio.Task[Any]] = set()
        self._is_over = False
        self.is_listening = False
        self.is_idle = False
        self.is_warming = False

    @property
    def is_halted(self) -> bool:
        """Tell whether the engine knows of a kill switch."""
        return self._risk.get(-1, ("active", ""))[0] == "halted"

    @property
    def has_stopped(self) -> bool:
        """Tell whether the session is over."""
        return self._state == "stopped"

    @property
    def has_begun(self) -> bool:
        """Tell whether its log has begun, so that it can be asked for something."""
        return self._seq > 0

    @property
    def seq(self) -> int:
        """Return the number of its last event that is stored."""
        return self._seq

    @property
    def engine(self) -> Engine:
        """Return the state of the session."""
        return self._engine

    @property
    def waiting(self) -> int:
        """Return what is still to be done: events in the inbox, requests, candles asked for."""
        asked = self._requests.waiting if self._requests else 0
        return len(self._inbox) + asked + len(self._tasks) + (not self.is_idle)

    def put(self, event: Input) -> None:
        """Take something that the world said; of this loop's thread only."""
        self._inbox.append(event)
        self._came += 1
        self._has_come.set()

    def hear(self, event: HeadlineHeard) -> None:
        """Take a headline."""
        if self._seq:
            self.put(event)

    async def run(self) -> None:
        """Begin or go on, until the session has stopped. Raises what it cannot mend itself."""
        try:
            await self._begin()
            while not self.has_stopped:
                await self._step()
            self._is_over = True
            if self._requests is not None:
                await self._requests.finish()
        finally:
            self._is_over = True
            await self._leave()

    async def command(self, kind: CommandKind, by: str, why: str) -> bool:
        """Take a command; returns once it is stored, or can no longer be, and tells which."""
        self.put(Commanded(kind, by, self._outside.clock.now_ms(), why))
        number = self._came  # others come behind it all the time
        while self._taken < number and not self._is_over:
            await asyncio.sleep(0.005)
        return self._taken >= number

    async def compare(self) -> None:
        """Compare ours with the broker's now, where there is one."""
        if self._comparing is not None:
            await self._comparing.now(self._settled)

    def compare_soon(self) -> None:
        """Compare ours with the broker's without waiting for the next time."""
        if self._comparing is not None:
            self._comparing.soon()

    async def _begin(self) -> None:
        outside = self._outside
        loaded = await outside.blocking(outside.journal.load, self.stored.session_id)
        self.stored = loaded.session
        now = outside.clock.now_ms
        if loaded.state is None and not loaded.events:
            session = Session.model_validate_json(loaded.session.document)
            needs = warming(outside.settings, outside.clock, session, outside.catalogue)
            self.is_warming = True
            event = await needs.started(self.stored.session_id)
            self.is_warming = False
            self._connect(session)
            begins: list[Input] = [event]
        else:
            self._restore(loaded)
            self._connect(self._engine.session)
            begins = [Recovered(now())]
        latch = loaded.is_latched
        if latch is not None and not self.is_halted:
            flattens = latch.is_flattening and not is_outside(self.stored)
            begins += halts(latch.by, latch.why, flattens, now())
        await self._take(begins)
        if self._comparing is not None:
            await self._compare_first(self._comparing)
        if not self.has_stopped:
            await self._listen()

    async def _compare_first(self, comparing: Comparing) -> None:
        """Compare before the first candle; what comes meanwhile, as a command, is taken at once."""

        async def compared() -> list[Difference]:
            await self._settled()
            return await comparing.at_start(self._settled)

        asking = asyncio.create_task(compared())
        try:
            while not asking.done() and not self.has_stopped:
                coming = asyncio.create_task(self._has_come.wait())
                await asyncio.wait((asking, coming), return_when=asyncio.FIRST_COMPLETED)
                coming.cancel()
                await self._drain()
            wrong = await asking if asking.done() else []
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        if wrong:
            raise SessionBroken(
                "ours and the broker's differ, so that the session does not go on: "
                + "; ".join(one.why for one in wrong)
            )

    def _restore(self, loaded: Loaded) -> None:
        folded = fold(loaded, self._outside.catalogue)
        self._engine, self._risk = folded.engine, folded.risk
        self._seq, self._kept_seq = folded.seq, loaded.seq
        self._state = loaded.session.state
        for account in self._engine.accounts:
            for order in account.book.orders.open:
                self._orders[order.client_order_id] = order

    def _connect(self, session: Session) -> None:
        outside = self._outside
        around = outside.settings, outside.clock, outside.feeds
        self._overdue = Overdue(*around, self.put, session.hours)
        if session.broker.kind == "paper":
            return
        broker = outside.brokers.join(
            session.money, self.stored.session_id, self._updated, self._counted_cash
        )
        self._requests = Requests(
            broker, outside.clock, self.put, self._is_latched, outside.doubt_s, outside.reached
        )
        self._comparing = Comparing(
            broker,
            self._requests,
            outside.clock,
            self.put,
            lambda: self._engine,
            lambda: self.is_halted,
            self.stored,
            outside.settings,
            lambda: cash_before(outside, self.stored),
        )

    async def _listen(self) -> None:
        due = self._engine.next_open_ms()
        hours = self._engine.session.hours
        since = {Listening(*key, hours): opened for key, opened in due.items()}
        await self._outside.feeds.listen(since, self._heard)
        self.is_listening = True
        if self._overdue is not None:
            self._spawn(self._overdue.watch(lambda: self._engine.next_open_ms()), is_work=False)
        if self._comparing is not None:
            self._spawn(self._comparing.every_so_often(self._settled), is_work=False)

    async def _leave(self) -> None:
        outside = self._outside
        for task in (*self._tasks, *self._background):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._background, return_exceptions=True)
        if self.is_listening:
            await outside.feeds.leave(self._heard)
        if self._requests is not None:
            await self._requests.stop()
            outside.brokers.leave(self.stored.money, self.stored.session_id)

    def _spawn(self, work: Any, *, is_work: bool = True) -> None:
        kept = self._tasks if is_work else self._background
        task = asyncio.create_task(work)
        kept.add(task)
        task.add_done_callback(lambda done: self._done(kept, done))

    def _done(self, kept: set[asyncio.Task[Any]], task: asyncio.Task[Any]) -> None:
        kept.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            LOG.error(
                "task_failed", session=str(self.stored.session_id), error=str(error), exc_info=error
            )

    async def _step(self) -> None:
        if not self._inbox:
            self.is_idle = True
            await self._has_come.wait()
        self.is_idle = False
        await self._drain()

    async def _drain(self) -> None:
        self._has_come.clear()
        while self._inbox and not self.has_stopped:
            batch = [self._inbox.popleft() for _ in range(min(AT_ONCE, len(self._inbox)))]
            await self._take(batch)
            self._taken += len(batch)

    async def _settled(self) -> None:
        """Wait until all requests that were made are answered, and the answers are stored.

        Beside the loop that takes what comes; it returns where that has ended, too.
        """
        requests = self._requests
        while not self._is_over and not self.has_stopped:
            if self._taken == self._came and not (requests is not None and requests.waiting):
                return
            await asyncio.sleep(0.002)

    async def _take(self, batch: Sequence[Input]) -> None:
        """Apply events, store what follows from them, and then act on it."""
        entries: list[Entry] = []
        rows, told, alerts = Rows(), list[Derived](), list[Alerted]()
        counted = self._outside.counted
        for event in batch:
            entries.append(Entry(kind_of(event), True, encode(event)))
            began = perf_counter()
            derived = self._engine.apply(event)
            took_s = perf_counter() - began
            if isinstance(event, CandleClosed):
                counted.candles += 1
                counted.decisions += 1
                counted.decision_s += took_s
            for one in derived:
                entries.append(Entry(kind_of(one), False, encode(one)))
                project(rows, self._seq + len(entries), one, self._risk, took_s * 1e6)
                if isinstance(one, Alerted):
                    alerts.append(one)
                self._follow(one)
            told += derived
        await self._outside.blocking(
            self._outside.journal.append,
            self.stored,
            self._seq,
            entries,
            rows,
            alerts,
            is_halted=self.is_halted,
        )
        self._seq += len(entries)
        self._outside.reached("stored")
        for one in told:
            self._perform(one)
        if self._seq - self._kept_seq >= self._outside.settings.trading.snapshot_events:
            await self._keep()

    async def _keep(self) -> None:
        self._kept_seq = self._seq
        kept, risk = self._engine.keep(), dict(self._risk)
        journal = self._outside.journal
        await self._outside.blocking(journal.keep, self.stored.session_id, self._seq, kept, risk)
        self._outside.reached("kept")

    def _follow(self, one: Derived) -> None:
        match one:
            case StateChanged(what="session", account=-1):
                self._state = one.state
            case Intended(order=order) | OrderChanged(order=order):
                if order.is_open:
                    self._orders[order.client_order_id] = order
                else:
                    self._orders.pop(order.client_order_id, None)
            case _:
                pass

    def _perform(self, one: Derived) -> None:
        match one:
            case Intended(for_broker=True, order=order) if self._requests:
                self._requests.submit(order)
            case CancelIntended(for_broker=True, client_order_id=number) if self._requests:
                if number in self._orders:
                    self._requests.cancel(self._orders[number])
            case LookupIntended(client_order_id=number) if self._requests:
                if number in self._orders:
                    self._requests.look_up(self._orders[number])
            case Wanted() if self._overdue:
                self._spawn(self._overdue.fetch(one))
            case FillBooked():
                self._outside.reached("filled")
            case _:
                pass

    def _heard(self, said: Said) -> None:
        if not isinstance(said, FeedNotice):
            self.put(said)
        elif said.is_alarm:
            self._alarm(f"feed:{said.kind}", said.text)

    def _updated(self, update: Update) -> None:
        if isinstance(update, BrokerOrder | BrokerFill):
            if self._requests is not None:
                self._requests.told(update)
        elif update.is_alarm:
            self._alarm(f"broker:{update.kind}", update.text)

    def _alarm(self, key: str, text: str) -> None:
        journal = self._outside.journal
        told = Alerted("warning", key, text)
        self._spawn(self._outside.blocking(journal.alert, self.stored, told), is_work=False)

    def _counted_cash(self) -> float | None:
        """Return the cash that the session has by its log; None before it has begun."""
        return self._engine.ours().cash if self.has_begun else None

    async def _is_latched(self) -> bool:
        latches = self._outside.journal.latches
        return bool(await self._outside.blocking(latches, self.stored.session_id))

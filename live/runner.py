"""One session in its process: events in order, stored before anybody acts on them.

What the world says is put into an inbox. The engine takes it from there, event by event; what it
decided is stored with it in one transaction, and only then are requests made. An answer is an event
again. Whatever ends this in between, the log tells how far it came.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeVar, cast

import structlog

from backtests.strategy import Strategy
from live.broker_hub import BrokerHub
from live.broker_requests import Reached, Requests
from live.brokers.protocol import BrokerFill, BrokerOrder, LinkNotice, Update
from live.clock import Clock
from live.comparing import Comparing
from live.engine import Engine
from live.events import (
    Alerted,
    CancelIntended,
    CandleClosed,
    Commanded,
    CommandKind,
    Derived,
    FillBooked,
    HeadlineHeard,
    Input,
    Intended,
    LookupIntended,
    OrderChanged,
    Recovered,
    StateChanged,
    Wanted,
    decode,
    encode,
    kind_of,
)
from live.feed_hub import FeedHub
from live.feeds import FeedNotice, Listening
from live.journal import Journal, Loaded
from live.orders import Order
from live.overdue import Overdue
from live.projections import RiskStates, project
from live.warming import warming
from mela.session import Session
from mela.settings import Settings
from warehouse.trading.log import Entry, Rows
from warehouse.trading.sessions import StoredSession

LOG = structlog.get_logger(__name__)
AT_ONCE = 64  # events in one transaction, at most
T = TypeVar("T")


class SessionBroken(Exception):
    """Say that a session cannot go on: what its log says is not what its engine makes of it."""


@dataclass
class Counted:
    """What the process counts of its sessions since it started; `decision_s` in seconds."""

    candles: int = 0
    decisions: int = 0
    decision_s: float = 0.0
    waiting: int = 0


@dataclass
class Outside:
    """What all sessions of a process share.

    threads: where the log is written; doubt_s: as of `Requests`
    reached: is told each point that was passed, for tests that end the process there
    """

    settings: Settings
    clock: Clock
    feeds: FeedHub
    brokers: BrokerHub
    catalogue: Mapping[str, Strategy]
    counted: Counted = field(default_factory=Counted)
    doubt_s: float = 1.0
    reached: Reached = lambda _: None
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(8, thread_name_prefix="journal")
    )

    @property
    def journal(self) -> Journal:
        """Return the logs of all sessions."""
        return Journal(self.settings)

    async def blocking(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Do something that blocks in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, lambda: work(*args, **kwargs))


class SessionRunner:
    """Runs one session until it has stopped."""

    def __init__(self, session: StoredSession, outside: Outside) -> None:
        """Make it; `run` begins. session: as it is stored now."""
        self.stored = session
        self._outside = outside
        self._inbox: deque[Input] = deque()
        self._has_come = asyncio.Event()
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
        self._is_listening = False
        self.is_idle = False

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
            if self._requests is not None:
                await self._requests.finish()
        finally:
            await self._leave()

    async def command(self, kind: CommandKind, by: str, why: str) -> None:
        """Take a command; returns once it is stored."""
        self.put(Commanded(kind, by, self._outside.clock.now_ms(), why))
        while self._inbox and not self.has_stopped:
            await asyncio.sleep(0.005)

    async def _begin(self) -> None:
        outside = self._outside
        loaded = await outside.blocking(outside.journal.load, self.stored.session_id)
        self.stored = loaded.session
        now = outside.clock.now_ms
        if loaded.state is None and not loaded.events:
            session = Session.model_validate_json(loaded.session.document)
            event = await warming(
                outside.settings, outside.clock, session, outside.catalogue
            ).started(self.stored.session_id)
            self._connect(session)
            await self._take([event])
        else:
            self._restore(loaded)
            self._connect(self._engine.session)
            await self._take([Recovered(now())])
        latch = loaded.is_latched
        if latch is not None and not self.is_halted:
            await self._take(halts(latch.by, latch.why, latch.is_flattening, now()))
        if self._comparing is not None:
            await self._settle()
            await self._comparing.at_start()
            await self._drain()
        if not self.has_stopped:
            await self._listen()

    def _restore(self, loaded: Loaded) -> None:
        """Fold the log: what the engine makes of it must be what it made of it before."""
        engine, risk = Engine(self._outside.catalogue), dict(loaded.risk)
        if loaded.state is not None:
            engine = Engine.restore(loaded.state, self._outside.catalogue)
        expected: deque[str] = deque()
        rows = Rows()
        for stored in loaded.events:
            if not stored.is_input:
                made = expected.popleft() if expected else "nothing"
                if made != f"{stored.kind} {stored.document}":
                    raise SessionBroken(
                        f"event {stored.seq} of the log is {stored.kind} {stored.document}, but "
                        f"the engine makes {made} of what came before it. A strategy or a release "
                        "that decides otherwise cannot go on with this log: start another session."
                    )
                continue
            if expected:
                raise SessionBroken(
                    f"the engine decides {expected[0]} before event {stored.seq} of the log, where "
                    "it decided nothing"
                )
            for one in engine.apply(cast("Input", decode(stored.kind, stored.document))):
                expected.append(f"{kind_of(one)} {encode(one)}")
                project(rows, stored.seq, one, risk, 0.0)
                self._follow(one)
        self._engine, self._risk = engine, risk
        self._seq = loaded.events[-1].seq if loaded.events else loaded.seq
        self._kept_seq = loaded.seq
        self._state = loaded.session.state
        for account in engine.accounts:
            for order in account.book.orders.open:
                self._orders[order.client_order_id] = order

    def _connect(self, session: Session) -> None:
        outside = self._outside
        self._overdue = Overdue(outside.settings, outside.clock, outside.feeds, self.put)
        if session.broker.kind == "paper":
            return
        broker = outside.brokers.join(session.money, self.stored.session_id, self._updated)
        self._requests = Requests(
            broker, outside.clock, self.put, self._is_latched, outside.doubt_s, outside.reached
        )
        self._comparing = Comparing(
            broker, outside.clock, self.put, lambda: self._engine, self.stored, outside.settings
        )

    async def _listen(self) -> None:
        due = self._engine.next_open_ms()
        since = {Listening(*key): opened for key, opened in due.items()}
        await self._outside.feeds.listen(since, self._heard)
        self._is_listening = True
        if self._overdue is not None:
            self._spawn(self._overdue.watch(lambda: self._engine.next_open_ms()), is_work=False)
        if self._comparing is not None:
            self._spawn(self._comparing.every_so_often(), is_work=False)

    async def _leave(self) -> None:
        outside = self._outside
        for task in (*self._tasks, *self._background):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._background, return_exceptions=True)
        if self._is_listening:
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

    async def _settle(self) -> None:
        """Wait until all requests that were made are answered, and the answers are stored."""
        if self._requests is None:
            return
        while self._requests.waiting or self._inbox:
            await self._drain()
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
        state, risk = self._engine.snapshot(), dict(self._risk)
        journal = self._outside.journal
        await self._outside.blocking(journal.keep, self.stored.session_id, self._seq, state, risk)
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

    def _heard(self, said: CandleClosed | FeedNotice) -> None:
        if isinstance(said, CandleClosed):
            self.put(said)
        elif said.is_alarm:
            self._alarm(f"feed:{said.kind}", said.text)

    def _updated(self, update: Update) -> None:
        if isinstance(update, BrokerOrder | BrokerFill):
            if self._requests is not None:
                self._requests.told(update)
        elif isinstance(update, LinkNotice) and update.is_alarm:
            self._alarm(f"broker:{update.kind}", update.text)

    def _alarm(self, key: str, text: str) -> None:
        journal = self._outside.journal
        told = Alerted("warning", key, text)
        self._spawn(self._outside.blocking(journal.alert, self.stored, told), is_work=False)

    async def _is_latched(self) -> bool:
        latches = self._outside.journal.latches
        return bool(await self._outside.blocking(latches, self.stored.session_id))


def halts(by: str, why: str | None, is_flattening: bool, at_ms: int) -> list[Input]:
    """Return the events by which a session obeys the kill switch."""
    found: list[Input] = [Commanded("halt", by, at_ms, why or "the kill switch")]
    if is_flattening:
        found.append(Commanded("flatten", by, at_ms, why or "the kill switch"))
    return found

"""The process that trades: all sessions in one event loop, each for itself.

It takes commands, obeys the kill switch, and runs each session that is under way. A session that
fails is begun anew from its log, and no other one notices.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from live import kill
from live.clock import Clock
from live.commanding import Commanding
from live.ending import LAST_S, SESSIONS_S, within
from live.events import Alerted, HeadlineHeard
from live.folding import SessionBroken
from live.killing import Killing, is_done
from live.outside import Counted, Outside
from live.pace import Pace, busy_words
from live.runner import SessionRunner
from mela.errors import (
    Conflict,
    MelaError,
    SceneInvalid,
    SourceRefused,
    SourceUnavailable,
    StrategyBroken,
)
from mela.settings import Settings
from services.trading.process_state import BEAT_S, ProcessState, write_state
from warehouse.scenes.listening import listening
from warehouse.trading.latches import Latch
from warehouse.trading.locks import Locks, locks
from warehouse.trading.log import KillSwitchSet
from warehouse.trading.sessions import ASKED, StoredSession

LOG = structlog.get_logger(__name__)
Beside = Callable[
    [Settings, Counted, Clock, Callable[[UUID, HeadlineHeard], None], asyncio.Event],
    Awaitable[None],
]
LOOK_S = 1.0
AGAIN_S, LONGEST_S = 0.5, 60.0
SWITCHED_S = 0.05
END_PATIENCE_S = 15.0  # for the broker of a session that ends
MOST_FAILURES = 5  # in a row, of a kind that waiting does not mend


class Process:
    """All sessions of a warehouse."""

    def __init__(self, outside: Outside, open_broker: kill.Open, beside: Beside | None) -> None:
        """Make it; `run` begins.

        open_broker: a broker of its own for the kill switch
        beside: what else runs in this loop until an event is set, as `live.around.run`
        """
        self.outside = outside
        self._open_broker = open_broker
        self._beside = beside
        self._runners: dict[UUID, SessionRunner] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._commanding = Commanding(outside, self._runners, self._tasks)
        self._obeyed: set[tuple[int, UUID]] = set()
        self._asked = asyncio.Event()
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def runners(self) -> dict[UUID, SessionRunner]:
        """Return the sessions that run now."""
        return self._runners

    def stop(self) -> None:
        """End; sessions go on where they are at the next start."""
        self._stop.set()
        self._asked.set()

    async def stopped(self) -> None:
        """Return once it was told to end."""
        await self._stop.wait()

    async def run(self) -> None:
        """Run all sessions until `stop`, and end within seconds then, whatever does not answer.

        Raises DBAPIError where the locks were lost.
        """
        hearing = threading.Thread(target=self._hear, daemon=True)
        hearing.start()
        beating = asyncio.create_task(self._beat())
        beside = asyncio.create_task(self._run_beside())
        killing = Killing(self.outside.settings, self._open_broker)
        threading.Thread(target=killing.run, args=(self._stop.is_set,), daemon=True).start()
        looking = asyncio.create_task(self._run_sessions())
        over = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((looking, over), return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                looking.result()
        finally:
            self._stop.set()  # where the locks were lost, all that runs beside must end as well
            beating.cancel()
            over.cancel()
            await asyncio.gather(self._end(looking), within(3 * LAST_S, beating, beside, over))

    async def _run_sessions(self) -> None:
        """Run until `stop`; no other process has the sessions before they have left this one."""
        with ExitStack() as kept:
            blocking = self.outside.blocking
            held = await blocking(lambda: kept.enter_context(locks(self.outside.settings)))
            try:
                while not self._stop.is_set():
                    await blocking(held.check)
                    await self._look(held)
                    await self._wait()
            finally:
                for task in self._tasks.values():
                    task.cancel()
                await within(SESSIONS_S, *self._tasks.values())
                await self._commanding.finish()

    async def _end(self, looking: asyncio.Task[None]) -> None:
        """Leave all sessions, then their feeds and brokers, and give up what does not end."""
        self.outside.feeds.end()  # what leaves now must not open them anew
        self._asked.set()
        await within(2 * SESSIONS_S, looking)  # a command that was taken is answered
        await within(LAST_S, self.outside.feeds.stop(), self.outside.brokers.stop())

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._asked.wait(), LOOK_S)
        self._asked.clear()

    async def _look(self, held: Locks) -> None:
        """Begin sessions that nobody runs, obey kill switches, take commands; it waits for none."""
        journal, blocking = self.outside.journal, self.outside.blocking
        for session in await blocking(journal.under_way):
            known = self._tasks.get(session.session_id)
            is_running = known is not None and not known.done()
            if not is_running and await blocking(held.take, session.session_id):
                task = asyncio.create_task(self._run_session(session))
                self._tasks[session.session_id] = task
                task.add_done_callback(lambda _: self._asked.set())
        for latch in await blocking(journal.latches):
            self._obey(latch)
        self._commanding.take(await blocking(journal.waiting))
        for session_id, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[session_id]
                await blocking(held.let, session_id)

    def _obey(self, latch: Latch) -> None:
        for session_id, runner in self._runners.items():
            mark = (latch.latch_id, session_id)
            is_meant = latch.session_id in (None, session_id)
            # what a broker holds is flattened by who carries the switch out, and only there
            flattens = latch.is_flattening and not kill.is_outside(runner.stored)
            is_new = not runner.is_halted or (flattens and _is_holding(runner))
            if is_meant and mark not in self._obeyed and is_new:
                self._obeyed.add(mark)
                now = self.outside.clock.now_ms()
                for event in kill.halts(latch.by, latch.why, flattens, now):
                    runner.put(event)
            done = (-latch.latch_id, session_id)
            if is_meant and is_done(latch) and done not in self._obeyed:
                self._obeyed.add(done)
                runner.compare_soon()

    async def _run_session(self, session: StoredSession) -> None:
        """Run a session until it has stopped; begin it anew where it fails."""
        wait_s, failures, seq = AGAIN_S, 0, -1
        while True:
            runner = SessionRunner(session, self.outside)
            self._runners[session.session_id] = runner
            try:
                await runner.run()
            except asyncio.CancelledError:
                raise
            except KillSwitchSet:
                await asyncio.sleep(SWITCHED_S)  # begun anew, it obeys first
                continue
            except (SessionBroken, SceneInvalid, SourceRefused, StrategyBroken) as error:
                await self._fail(session, str(error))
                return
            except (DBAPIError, SourceUnavailable, Conflict, OSError) as error:
                LOG.warning("session_interrupted", session=session.name, error=str(error))
            except Exception as error:
                failures = failures + 1 if runner.seq == seq else 1
                seq = runner.seq
                LOG.exception("session_failed", session=session.name)
                if failures >= MOST_FAILURES:
                    await self._fail(session, f"{type(error).__name__}: {error}")
                    return
            else:
                await self._cancel_resting(session)
                return
            finally:
                self._runners.pop(session.session_id, None)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_S)

    async def _fail(self, session: StoredSession, why: str) -> None:
        """End a session that cannot go on, once what it has open at its broker is cancelled.

        In this order, so that a process that ends in between does so again.
        """
        LOG.error("session_ended", session=session.name, why=why)
        left = await self._cancel_resting(session)
        await self.outside.blocking(self.outside.journal.fail, session, why + left)

    async def _cancel_resting(self, session: StoredSession) -> str:
        """Cancel what an ending session has open at its broker; return words on what is left."""
        if not kill.is_outside(session):
            return ""
        done = await kill.cancel_resting(session, self._open_broker, END_PATIENCE_S)
        if done.is_done:
            LOG.info("orders_cancelled", session=session.name, orders=done.cancelled)
            return ""
        words = (
            f"its orders at the broker may still work ({done.sentence()}): "
            f"`mela trade kill {session.name}` cancels them"
        )
        told = Alerted("critical", "orders_left", f"the session has ended, and {words}")
        await self.outside.blocking(self.outside.journal.leave, session, told, words)
        return f"; {words}"

    async def _run_beside(self) -> None:
        if self._beside is not None:
            outside = self.outside
            await self._beside(
                outside.settings, outside.counted, outside.clock, self._hears, self._stop
            )

    def _hears(self, session_id: UUID, headline: HeadlineHeard) -> None:
        runner = self._runners.get(session_id)
        if runner is not None:
            runner.hear(headline)

    async def _beat(self) -> None:
        """Say every few seconds that the loop goes on."""
        pace = Pace(monotonic())
        while True:
            counted = self.outside.counted
            share = pace.share(counted.decision_s, monotonic())
            if share is not None:
                await self._tell_busy(share)
            counted.waiting = sum(runner.waiting for runner in self._runners.values())
            state = ProcessState(pid=os.getpid(), at=datetime.now(UTC), sessions=len(self._runners))
            try:
                await self.outside.blocking(write_state, self.outside.settings.home, state)
            except OSError as error:  # a full disk must not end the beats for good
                LOG.warning("not_said", reason=str(error))
            await asyncio.sleep(BEAT_S)

    async def _tell_busy(self, share: float) -> None:
        sessions = [(one.stored.name, one.engine) for one in self._runners.values()]
        words = busy_words(share, sessions)
        LOG.warning("busy", why=words)
        try:
            await self.outside.blocking(self.outside.journal.tell, "warning", "busy", words)
        except DBAPIError as error:
            LOG.warning("not_told", reason=str(error))

    def _hear(self) -> None:
        """Wake the loop whenever somebody asks for something. In a thread of its own."""
        while not self._stop.is_set():
            try:
                with listening(self.outside.settings, (ASKED,)) as listener:
                    while not self._stop.is_set():
                        if list(listener.wait(LOOK_S)):
                            self._loop.call_soon_threadsafe(self._asked.set)
            except (MelaError, DBAPIError, OSError, RuntimeError) as error:
                LOG.info("not_heard", reason=str(error))
                threading.Event().wait(LOOK_S)


def _is_holding(runner: SessionRunner) -> bool:
    return any(account.book.is_holding for account in runner.engine.accounts)

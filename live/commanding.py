"""Carry out commands to sessions beside the main loop, each session's in their order.

A session that waits, for a broker that is away for instance, holds up no other session, and not the
loop. A command that cannot be carried out yet stays unanswered, and is tried again soon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import cast
from uuid import UUID

import structlog

from live.ending import SESSIONS_S
from live.events import CommandKind
from live.kill import is_outside
from live.outside import Outside
from live.runner import SessionRunner
from mela.errors import MelaError
from warehouse.trading.commands import StoredCommand

LOG = structlog.get_logger(__name__)
COMPARE_S = 20.0  # in which a broker must have said what it has, before a session orders again
Said = tuple[str, str]  # the outcome of a command, and words


class Commanding:
    """Takes commands. runners, tasks: the sessions that run now, and what runs them."""

    def __init__(
        self,
        outside: Outside,
        runners: Mapping[UUID, SessionRunner],
        tasks: Mapping[UUID, asyncio.Task[None]],
    ) -> None:
        """Make it; `take` begins."""
        self._outside, self._runners, self._tasks = outside, runners, tasks
        self._taking: dict[UUID, asyncio.Task[None]] = {}

    def take(self, waiting: Sequence[StoredCommand]) -> None:
        """Begin to carry out what waits; returns at once."""
        for session_id in {one.session_id for one in waiting}:
            known = self._taking.get(session_id)
            if known is None or known.done():
                own = [one for one in waiting if one.session_id == session_id]
                self._taking[session_id] = asyncio.create_task(self._take_all(own))

    async def finish(self) -> None:
        """Answer what was taken, and leave what still waits for something."""
        taking = list(self._taking.values())
        if taking:
            _, late = await asyncio.wait(taking, timeout=SESSIONS_S / 3)
            for one in late:
                one.cancel()

    async def _take_all(self, commands: Sequence[StoredCommand]) -> None:
        for command in commands:
            try:
                said = await self._take(command)
                if said is not None:
                    answer = self._outside.journal.answer
                    await self._outside.blocking(answer, command.command_id, *said)
            except Exception as error:  # it has no answer, so that it is tried again
                LOG.warning(
                    "command_not_taken", command=command.kind, error=str(error), exc_info=error
                )

    async def _take(self, command: StoredCommand) -> Said | None:
        """Carry a command out and return what to answer; None: nothing yet."""
        runner = self._runners.get(command.session_id)
        if runner is None and command.session_id not in self._tasks:
            return await self._of_nobody(command)
        if command.kind == "kill":
            return await self._killed(command, runner)
        if runner is None or not runner.has_begun:
            return await self._end_early(command) if command.kind == "stop" else None
        if command.kind == "release":
            refused = await self._compared(runner)
            if refused is not None:
                return "refused", refused
        kind = cast("CommandKind", command.kind)
        if await runner.command(kind, command.by, command.why or ""):
            return "done", f"the session took {command.kind}"
        return await self._of_nobody(command)  # where it goes on, its next life takes it

    async def _of_nobody(self, command: StoredCommand) -> Said | None:
        """Answer for a session that this process does not run."""
        session = await self._outside.blocking(self._outside.journal.session, command.session_id)
        if not session.has_ended:
            return None  # it begins soon, or another process runs it
        if command.kind == "stop":
            return "done", "the session has ended already"
        if command.kind == "kill":
            # who carries the switch out answers for what is at a broker
            return None if is_outside(session) else ("done", "the session has ended already")
        if command.kind == "release":
            return "done", "the switch is released; the session has ended and orders nothing more"
        return "refused", f"the session has ended: it {session.state}"

    async def _killed(self, command: StoredCommand, runner: SessionRunner | None) -> Said | None:
        if runner is not None and runner.is_halted:
            return "done", "halted until somebody releases it"
        latches = self._outside.journal.latches
        if await self._outside.blocking(latches, command.session_id):
            return None  # the latch comes first
        return "done", "the kill switch was released before the session obeyed it"

    async def _compared(self, runner: SessionRunner) -> str | None:
        """Compare ours with the broker's; return why it must not order again, or None."""
        try:
            await asyncio.wait_for(runner.compare(), COMPARE_S)
        except TimeoutError:
            why = f"the broker did not say within {COMPARE_S:g} s what it has"
        except MelaError as error:
            why = str(error)
        else:
            return None
        return f"the session stays halted, because ours and the broker's are not compared: {why}"

    async def _end_early(self, command: StoredCommand) -> Said | None:
        """End a session that nothing is known of yet; one with a log goes on from it first."""
        blocking, journal = self._outside.blocking, self._outside.journal
        if await blocking(journal.has_log, command.session_id):
            return None
        task = self._tasks.get(command.session_id)
        if task is not None:
            task.cancel()
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), SESSIONS_S)
        await blocking(journal.end, command.session_id, "stopped by its owner")
        return "done", "stopped before its first candle"

"""Kill switches that nobody carried out, carried out beside a loop that may hang.

Each in a thread of its own, so that one whose broker is away holds up no other. A failed step
raises an alert, and is tried again until it is done or the switch is released.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import structlog

from live import kill
from live.journal import Journal
from mela.settings import Settings
from warehouse.trading.latches import Latch

LOG = structlog.get_logger(__name__)
LOOK_S = 1.0
AGAIN_S, LONGEST_S = 1.0, 60.0


@dataclass
class _Try:
    """The last try of a switch. At `again_at` the next one may begin."""

    thread: threading.Thread
    wait_s: float = AGAIN_S
    again_at: float = 0.0


class Killing:
    """Carries kill switches out. open_broker: a broker of its own, by a session's money."""

    def __init__(self, settings: Settings, open_broker: kill.Open) -> None:
        """Make it; `run` begins."""
        self._settings, self._open_broker = settings, open_broker
        self._journal = Journal(settings)
        self._tries: dict[int, _Try] = {}
        self._pause = threading.Event()

    def run(self, is_over: Callable[[], bool]) -> None:
        """Look again and again until it is over; whatever fails is tried again."""
        while not is_over():
            try:
                self.look()
            except Exception as error:  # Postgres may be away: this thread must outlive it
                LOG.warning("kill_switches_not_read", reason=str(error), exc_info=error)
            self._pause.wait(LOOK_S)

    def look(self) -> None:
        """Begin with each switch that is set and not carried out; returns at once."""
        latches = self._journal.latches()
        for gone in self._tries.keys() - {one.latch_id for one in latches}:
            del self._tries[gone]
        for latch in latches:
            if is_done(latch):
                continue
            known = self._tries.get(latch.latch_id)
            if known is not None and (known.thread.is_alive() or monotonic() < known.again_at):
                continue
            wait_s = AGAIN_S if known is None else min(2 * known.wait_s, LONGEST_S)
            thread = threading.Thread(
                target=self._try, args=(latch,), daemon=True, name=f"kill-{latch.latch_id}"
            )
            self._tries[latch.latch_id] = _Try(thread, wait_s)
            thread.start()

    def _try(self, latch: Latch) -> None:
        try:
            sessions = self._journal.meant(latch)
            done = asyncio.run(kill.carry_out(self._settings, latch, sessions, self._open_broker))
            if done is not None and not done.is_done:
                self._tell(latch, done.sentence())
        except Exception as error:  # of any kind: the switch is not carried out, and that is told
            LOG.warning("kill_switch_not_carried_out", reason=str(error), exc_info=error)
            self._tell(latch, f"{type(error).__name__}: {error}")
        finally:
            known = self._tries.get(latch.latch_id)
            if known is not None:
                known.again_at = monotonic() + known.wait_s

    def _tell(self, latch: Latch, why: str) -> None:
        words = (
            f"the kill switch that {latch.by} set is not carried out wholly: {why}. No order "
            "leaves while it is set, and it is tried again. Look at the broker's own page."
        )
        try:
            self._journal.tell("critical", f"kill:{latch.latch_id}", words)
        except Exception as error:  # told with the next try
            LOG.warning("not_told", reason=str(error), exc_info=error)


def is_done(latch: Latch) -> bool:
    """Tell whether a switch is carried out, and nothing of it left to do."""
    return latch.report is not None and kill.Killed.read(latch.report).is_done

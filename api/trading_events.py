"""The hub's events of trading sessions, which it reads a moment after they changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from uuid import UUID

from mela.settings import Settings
from services.accounts.accounts import Caller
from services.trading import session_events as use_case
from services.trading.answers import SessionTold

READ_S = 0.3  # between two reads: a session at 600 times its speed changes ten times a second
SWEEP_S = 3.0


class TradingChanges:
    """The sessions that are to be read, and when. Every method is for any thread."""

    def __init__(self, settings: Settings, tell: Callable[[Iterable[SessionTold]], None]) -> None:
        """Make it; it reads when it is asked to, and tells what it has read."""
        self._settings = settings
        self._tell = tell
        self._lock = threading.Lock()
        self._due: set[UUID] = set()
        self._open: set[UUID] = set()  # sessions that go on, which the sweep reads
        self._read_at = 0.0
        self._sweep_at = 0.0

    def changed(self, session_id: UUID) -> None:
        """Note that a session has changed."""
        with self._lock:
            self._due.add(session_id)

    def show(self, caller: Caller) -> list[SessionTold]:
        """Return how all sessions are now that a caller may see."""
        found = use_case.snapshot(self._settings, caller)
        self._remember(found)
        return found

    def read(self) -> None:
        """Read what is due, if it is time."""
        wanted = self._take_due()
        if not wanted:
            return
        found = use_case.read(self._settings, wanted)
        self._remember(found)
        self._tell(found)

    def forget(self) -> None:
        """Forget all that is under way: nobody listens any more."""
        with self._lock:
            self._due.clear()
            self._open.clear()

    def _take_due(self) -> set[UUID]:
        now = time.monotonic()
        with self._lock:
            if now >= self._sweep_at:
                self._sweep_at = now + SWEEP_S
                self._due |= self._open
            if not self._due or now < self._read_at:
                return set()
            self._read_at = now + READ_S
            wanted, self._due = self._due, set()
            return wanted

    def _remember(self, found: Iterable[SessionTold]) -> None:
        with self._lock:
            for one in found:
                if one.has_ended:
                    self._open.discard(one.session_id)
                else:
                    self._open.add(one.session_id)

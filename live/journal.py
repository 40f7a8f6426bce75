"""A session's log on disk: read at the start, added to while the session lives.

A decision is stored before anybody acts on it. All calls block; the runner makes them
in threads of its own, one at a time for a session.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from live.engine import STATE_VERSION
from live.events import Alerted
from live.keeping import Kept
from live.projections import RiskStates
from mela.errors import NotFound
from mela.session import AlertRule
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.trading import alerts, commands, latches, log, sessions, snapshots
from warehouse.trading import rows as holdings
from warehouse.trading.alerts import LEVELS, Alert, Level
from warehouse.trading.commands import StoredCommand
from warehouse.trading.latches import Latch
from warehouse.trading.log import Entry, Rows, StoredEvent
from warehouse.trading.rows import Net
from warehouse.trading.sessions import StoredSession

OVERLAP = timedelta(minutes=10)  # fills may be told so much later
_HEAD = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A session as it is stored.

    state, parts, risk: of the newest snapshot, None and none where there is none that this release
        can read; events: those after it
    """

    session: StoredSession
    state: bytes | None
    parts: dict[str, bytes]
    risk: RiskStates
    seq: int
    events: list[StoredEvent]
    is_latched: Latch | None


@dataclass(frozen=True, slots=True)
class Held:
    """The positions of a session by its fills. known: the ids of those since an instant."""

    net: list[Net]
    since: datetime | None
    known: set[str]


@dataclass(frozen=True, slots=True)
class Journal:
    """The logs of all sessions of a warehouse."""

    settings: Settings

    def load(self, session_id: UUID) -> Loaded:
        """Return a session, its newest snapshot and what was logged since. Raises NotFound."""
        with transaction(self.settings) as connection:
            session = sessions.get(connection, session_id)
            if session is None:
                raise NotFound(f"there is no session {session_id}.")
            kept = snapshots.newest(connection, session_id)
            seq, state, risk = (0, None, {}) if kept is None else (kept[0], *_unframed(kept[1]))
            seq = seq if state is not None else 0
            parts = {} if state is None else snapshots.parts(connection, session_id)
            events = list(log.read(connection, session_id, seq))
            latched = latches.set_now(connection, session_id)
        return Loaded(session, state, parts, risk, seq, events, latched[0] if latched else None)

    def session(self, session_id: UUID) -> StoredSession:
        """Return a session as it is stored. Raises NotFound."""
        with transaction(self.settings) as connection:
            found = sessions.get(connection, session_id)
        if found is None:
            raise NotFound(f"there is no session {session_id}.")
        return found

    def has_log(self, session_id: UUID) -> bool:
        """Tell whether a session has begun, at any time."""
        with transaction(self.settings) as connection:
            return log.last(connection, session_id) > 0

    def append(
        self,
        session: StoredSession,
        after: int,
        entries: Sequence[Entry],
        rows: Rows,
        told: Sequence[Alerted],
        *,
        is_halted: bool,
    ) -> None:
        """Store events and what follows from them, in one transaction.

        Raises KillSwitchSet where it was set and the events do not know of it, and what Postgres
        raises: then nothing of them is stored.
        """
        with transaction(self.settings) as connection:
            log.append(connection, session.session_id, after, entries, rows, is_halted=is_halted)
            for one in told:
                alert(connection, session, one)

    def keep(self, session_id: UUID, seq: int, kept: Kept, risk: RiskStates) -> None:
        """Keep an engine's state after an event."""
        with transaction(self.settings) as connection:
            framed = _framed(kept.state, risk)
            snapshots.save(connection, session_id, seq, framed, kept.parts)

    def fail(self, session: StoredSession, why: str) -> None:
        """End a session that cannot go on, and tell its owner."""
        with transaction(self.settings) as connection:
            if sessions.move(connection, session.session_id, "failed", why):
                alert(connection, session, Alerted("critical", "failed", why))

    def end(self, session_id: UUID, why: str) -> None:
        """End a session that has not begun."""
        with transaction(self.settings) as connection:
            sessions.move(connection, session_id, "stopped", why)

    def leave(self, session: StoredSession, told: Alerted, words: str) -> None:
        """Say of a session that ends what is left of it, to its owner and in its state."""
        with transaction(self.settings) as connection:
            sessions.add_why(connection, session.session_id, words)
            alert(connection, session, told)

    def alert(self, session: StoredSession, told: Alerted) -> None:
        """Tell the owner of a session something that is no event of its log."""
        with transaction(self.settings) as connection:
            alert(connection, session, told)

    def tell(self, level: Level, key: str, words: str) -> None:
        """Tell whoever runs the stack something of the process itself."""
        with transaction(self.settings) as connection:
            alerts.put(connection, Alert(level, f"live:{key}", "The process that trades", words))

    def under_way(self) -> list[StoredSession]:
        """Return the sessions that have not ended."""
        with transaction(self.settings) as connection:
            return sessions.under_way(connection)

    def waiting(self) -> list[StoredCommand]:
        """Return the commands without an answer."""
        with transaction(self.settings) as connection:
            return commands.waiting(connection)

    def answer(self, command_id: int, outcome: str, words: str) -> None:
        """Answer a command."""
        with transaction(self.settings) as connection:
            commands.answer(connection, command_id, outcome, words)

    def answer_kills(self, session_ids: Sequence[UUID], words: str) -> None:
        """Answer the kills of sessions that run no more: nobody else does."""
        with transaction(self.settings) as connection:
            for one in commands.waiting(connection):
                if one.kind == "kill" and one.session_id in session_ids:
                    commands.answer(connection, one.command_id, "done", words)

    def latches(self, session_id: UUID | None = None) -> list[Latch]:
        """Return the kill switches that are set, for a session those that hold for it."""
        with transaction(self.settings) as connection:
            return latches.set_now(connection, session_id)

    def meant(self, latch: Latch) -> list[StoredSession]:
        """Return the sessions that a kill switch is for, also those that have ended.

        Return those that traded at an outside broker, where something of them may be left.
        """
        with transaction(self.settings) as connection:
            if latch.session_id is None:
                ended = sessions.ended_outside(connection)
                return [*sessions.under_way(connection), *ended]
            one = sessions.get(connection, latch.session_id)
        return [] if one is None else [one]

    def held(self, session_id: UUID) -> Held:
        """Return what a session holds by its stored fills."""
        with transaction(self.settings) as connection:
            last = holdings.last_filled(connection, session_id)
            since = None if last is None else last - OVERLAP
            known = set[str]()
            if since is not None:
                known = holdings.filled_since(connection, session_id, since)
            return Held(holdings.net(connection, session_id), since, known)

    def report(self, latch_id: int, words: str) -> None:
        """Store what was done when a kill switch was set."""
        with transaction(self.settings) as connection:
            latches.report(connection, latch_id, words)


def alert(connection: Connection, session: StoredSession, told: Alerted) -> None:
    """Tell a session's owner something, within a transaction, unless it asked for graver things."""
    asked = json.loads(session.document).get("alerts") or {}
    if LEVELS.index(told.level) < LEVELS.index(asked.get("level", AlertRule().level)):
        return
    key = f"{session.session_id}:{told.key}"
    one = Alert(told.level, key, session.name, told.text, session.session_id, session.user_id)
    alerts.put(connection, one)


def _framed(state: bytes, risk: RiskStates) -> bytes:
    states = {str(n): list(one) for n, one in risk.items()}
    head = json.dumps({"version": STATE_VERSION, "risk": states}).encode()
    return _HEAD.pack(len(head)) + head + state


def _unframed(kept: bytes) -> tuple[bytes | None, RiskStates]:
    """Return a state; None for one of another release, whose log is read from its start."""
    size = _HEAD.size
    (length,) = _HEAD.unpack(kept[:size])
    head = json.loads(kept[size : size + length])
    if head.get("version") != STATE_VERSION:
        return None, {}
    risk: RiskStates = {int(n): (one[0], one[1]) for n, one in head["risk"].items()}
    return kept[size + length :], risk

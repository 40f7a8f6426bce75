"""Let one process at a time run a session, by locks that end with its connection."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from mela.settings import Settings
from warehouse.database import engine_for

_TRY = text("SELECT pg_try_advisory_lock(:key)")
_LET = text("SELECT pg_advisory_unlock(:key)")
_TRY_KILL = text("SELECT pg_try_advisory_lock(:kill, CAST(:latch AS int))")
_KILLS = 0x6B696C6C  # "kill": beside a latch's number


class Locks:
    """The locks of one process, over a connection of its own."""

    def __init__(self, connection: Connection) -> None:
        """Make it; `locks` gives the connection."""
        self._connection = connection
        self._mine: set[UUID] = set()

    def take(self, session_id: UUID) -> bool:
        """Take a session for this process; tell whether it has it. Raises DBAPIError."""
        if session_id not in self._mine and self._has(_TRY, {"key": _key(session_id)}):
            self._mine.add(session_id)
        return session_id in self._mine

    def let(self, session_id: UUID) -> None:
        """Let another process have a session."""
        if session_id in self._mine:
            self._mine.discard(session_id)
            self._has(_LET, {"key": _key(session_id)})

    def check(self) -> None:
        """Raise DBAPIError where the connection has ended, and with it all locks."""
        self._has(text("SELECT true"), {})

    def _has(self, statement: Any, values: dict[str, Any]) -> bool:
        return bool(self._connection.scalar(statement, values))


@contextmanager
def locks(settings: Settings) -> Generator[Locks]:
    """Yield the locks of this process; they end with this block, or with the process."""
    with engine_for(settings).connect() as connection:
        try:
            yield Locks(connection.execution_options(isolation_level="AUTOCOMMIT"))
        finally:
            connection.invalidate()  # whoever got it next would hold our locks


@contextmanager
def carrying_out(settings: Settings, latch_id: int) -> Generator[bool]:
    """Yield whether this process, and no other, carries a kill switch out."""
    values = {"kill": _KILLS, "latch": latch_id}
    with engine_for(settings).connect() as connection:
        mine = connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            yield bool(mine.scalar(_TRY_KILL, values))
        finally:
            connection.invalidate()


def _key(session_id: UUID) -> int:
    return int.from_bytes(session_id.bytes[:8], signed=True)

"""The position up to which logs of sessions were sent to Kafka, and the next events."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

LOCK = 0x6D656C61_74656C6C  # whoever tells holds it: two would only say everything twice
_TRY = text("SELECT pg_try_advisory_xact_lock(:lock)")
# A session that ended is looked at until it was once found told as a whole.
_BEHIND = text("""
    SELECT s.session_id, coalesce(p.seq, 0) AS told,
           coalesce((SELECT max(e.seq) FROM ops.session_event e
                     WHERE e.session_id = s.session_id), 0) AS newest
    FROM ops.session s LEFT JOIN ops.session_published p USING (session_id)
    WHERE s.stopped_at IS NULL OR p.published_at IS NULL
       OR p.published_at <= s.stopped_at + interval '1 minute'
    ORDER BY s.session_id
""")
_NEXT = text("""
    SELECT seq, kind, at, document FROM ops.session_event
    WHERE session_id = :session_id AND seq > :after AND seq <= :until
    ORDER BY seq LIMIT :most
""")
_TOLD = text("""
    INSERT INTO ops.session_published (session_id, seq, published_at)
    VALUES (:session_id, :seq, clock_timestamp())
    ON CONFLICT (session_id) DO UPDATE SET
        seq = greatest(ops.session_published.seq, excluded.seq),
        published_at = excluded.published_at
""")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A session, up to which event of its log was told, and which is the newest."""

    session_id: UUID
    told: int
    newest: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """An event of a log as it is stored."""

    seq: int
    kind: str
    at: datetime
    document: str


def alone(connection: Connection) -> bool:
    """Try to be the one who tells until the end of the transaction; return whether we are."""
    return bool(connection.execute(_TRY, {"lock": LOCK}).scalar_one())


def cursors(connection: Connection) -> list[Cursor]:
    """Return where each session stands that may have something to tell."""
    return [Cursor(*row) for row in connection.execute(_BEHIND)]


def read_events(
    connection: Connection, cursor: Cursor, kinds: Collection[str], most: int
) -> tuple[list[LogLine], int]:
    """Return a cursor's next events of these kinds, and the number up to which they were read."""
    values = {
        "session_id": cursor.session_id,
        "after": cursor.told,
        "until": cursor.newest,
        "most": most,
    }
    lines = [LogLine(*row) for row in connection.execute(_NEXT, values)]
    until = lines[-1].seq if len(lines) == most else cursor.newest
    return [one for one in lines if one.kind in kinds], until


def set_told(connection: Connection, session_id: UUID, seq: int) -> None:
    """Note that a log was told up to an event. Kafka must have confirmed it."""
    connection.execute(_TOLD, {"session_id": session_id, "seq": seq})

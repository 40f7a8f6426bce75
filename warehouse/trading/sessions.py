"""The sessions themselves: added by a person, moved on by the process that trades."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

CHANGED = "mela_session"  # the channel that tells of a session by its id
ASKED = "mela_session_asked"  # the channel that tells the process of commands and new sessions

_COLUMNS = """
    s.session_id, s.name, s.user_id, u.name AS owner, s.is_private, s.document, s.instruments,
    s.interval, s.mode, s.strategy, s.broker, s.feed, s.money, s.cash, s.state, s.why,
    s.risk_state, s.risk_why, s.created_at, s.started_at, s.stopped_at
"""
_FROM = "FROM ops.session s JOIN ops.user u ON u.id = s.user_id"
_ADD = text("""
    INSERT INTO ops.session (session_id, name, user_id, is_private, document, instruments,
        interval, mode, strategy, broker, feed, money, cash)
    VALUES (:session_id, :name, :user_id, :is_private, :document, :instruments, :interval, :mode,
        :strategy, :broker, :feed, :money, :cash)
""")
_GET = text(f"SELECT {_COLUMNS} {_FROM} WHERE s.session_id = :session_id")
_UNDER_WAY = text(f"""
    SELECT {_COLUMNS} {_FROM} WHERE s.state NOT IN ('stopped', 'failed')
    ORDER BY s.created_at, s.session_id
""")
_ENDED_OUTSIDE = text(f"""
    SELECT {_COLUMNS} {_FROM}
    WHERE s.state IN ('stopped', 'failed') AND s.broker NOT LIKE 'paper%'
    ORDER BY s.created_at, s.session_id
""")
_BEGINNING = text(f"""
    SELECT {_COLUMNS} {_FROM}
    WHERE replace(s.session_id::text, '-', '') LIKE :beginning || '%'
    ORDER BY s.created_at DESC LIMIT :most
""")
_NAMED = text(f"""
    SELECT {_COLUMNS} {_FROM} WHERE s.name = :name ORDER BY s.created_at DESC LIMIT :most
""")
_PAGE = text(f"""
    SELECT {_COLUMNS} {_FROM}
    WHERE (NOT s.is_private OR s.user_id = :viewer OR CAST(:viewer AS integer) IS NULL)
      AND (CAST(:state AS text) IS NULL OR s.state = :state)
      AND (CAST(:words AS text) IS NULL OR s.name ILIKE :words OR s.strategy ILIKE :words
           OR array_to_string(s.instruments, ' ') ILIKE :words)
      AND (CAST(:before_at AS timestamptz) IS NULL
           OR (s.created_at, s.session_id) < (:before_at, CAST(:before_id AS uuid)))
    ORDER BY s.created_at DESC, s.session_id DESC LIMIT :most
""")
_MOVE = text("""
    UPDATE ops.session SET state = :state, why = :why,
        started_at = CASE WHEN :state = 'running' THEN coalesce(started_at, now())
                          ELSE started_at END,
        stopped_at = CASE WHEN :state IN ('stopped', 'failed') THEN coalesce(stopped_at, now()) END
    WHERE session_id = :session_id AND state NOT IN ('stopped', 'failed')
""")
_ADD_WHY = text("""
    UPDATE ops.session SET why = concat_ws('; ', why, :why)
    WHERE session_id = :session_id AND state IN ('stopped', 'failed')
""")
_SHARING = text("""
    SELECT name FROM ops.session
    WHERE state NOT IN ('stopped', 'failed') AND session_id <> :session_id
      AND broker = :broker AND money = :money AND instruments && CAST(:instruments AS text[])
    LIMIT 1
""")
_SHARES = 0x73686172  # "shar": whoever looks who trades in an account before joining it
_JOIN = text("SELECT pg_advisory_xact_lock(:shares, hashtext(:broker || ' ' || :money))")
_NOTIFY = text("SELECT pg_notify(:channel, :words)")


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it is stored. document: its JSON, as text."""

    session_id: UUID
    name: str
    user_id: int
    owner: str
    is_private: bool
    document: str
    instruments: list[str]
    interval: str
    mode: str
    strategy: str
    broker: str
    feed: str
    money: str
    cash: float
    state: str
    why: str | None
    risk_state: str
    risk_why: str | None
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None

    @property
    def has_ended(self) -> bool:
        """Tell whether it trades no more, for good."""
        return self.stopped_at is not None


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session as it is stored at its beginning."""

    session_id: UUID
    name: str
    user_id: int
    is_private: bool
    document: str
    instruments: list[str]
    interval: str
    mode: str
    strategy: str
    broker: str
    feed: str
    money: str
    cash: float


def add(connection: Connection, one: NewSession) -> None:
    """Store a session, and tell the process that trades."""
    values = {name: getattr(one, name) for name in NewSession.__slots__}
    connection.execute(_ADD, values)
    tell(connection, ASKED, str(one.session_id))


def get(connection: Connection, session_id: UUID) -> StoredSession | None:
    """Return a session, or None."""
    row = connection.execute(_GET, {"session_id": session_id}).mappings().one_or_none()
    return StoredSession(**row) if row else None


def under_way(connection: Connection) -> list[StoredSession]:
    """Return the sessions that have not ended, the oldest first."""
    return [StoredSession(**row) for row in connection.execute(_UNDER_WAY).mappings()]


def ended_outside(connection: Connection) -> list[StoredSession]:
    """Return the sessions that have ended and traded at a broker outside, the oldest first."""
    return [StoredSession(**row) for row in connection.execute(_ENDED_OUTSIDE).mappings()]


def meant(connection: Connection, words: str, most: int) -> list[StoredSession]:
    """Return the sessions of a name, or whose id begins so, the newest first."""
    named = connection.execute(_NAMED, {"name": words, "most": most}).mappings().all()
    digits = words.replace("-", "").lower()
    if not named and digits and set(digits) <= set("0123456789abcdef"):
        values = {"beginning": digits, "most": most}
        named = connection.execute(_BEGINNING, values).mappings().all()
    return [StoredSession(**row) for row in named]


def page(
    connection: Connection,
    *,
    viewer: int | None,
    state: str | None,
    words: str | None,
    before: tuple[datetime, UUID] | None,
    most: int,
) -> list[StoredSession]:
    """Return sessions that a user may see (None: all), the newest first."""
    escaped = words and words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    values = {
        "viewer": viewer,
        "state": state,
        "words": f"%{escaped}%" if escaped else None,
        "before_at": before and before[0],
        "before_id": before and str(before[1]),
        "most": most,
    }
    return [StoredSession(**row) for row in connection.execute(_PAGE, values).mappings()]


def move(connection: Connection, session_id: UUID, state: str, why: str | None) -> bool:
    """Move a session that has not ended to another state, and tell whether it was moved."""
    values = {"session_id": session_id, "state": state, "why": why}
    is_moved = connection.execute(_MOVE, values).rowcount > 0
    if is_moved:
        tell(connection, CHANGED, str(session_id))
    return is_moved


def add_why(connection: Connection, session_id: UUID, why: str) -> None:
    """Add to the reason of a session that has ended."""
    connection.execute(_ADD_WHY, {"session_id": session_id, "why": why})
    tell(connection, CHANGED, str(session_id))


def sharing(connection: Connection, one: StoredSession | NewSession) -> str | None:
    """Return a session under way that trades one of the same instruments in the same account.

    A session that joins the account at the same time waits until this transaction has ended, and
    sees it.
    """
    account = {"shares": _SHARES, "broker": one.broker, "money": one.money}
    connection.execute(_JOIN, account)
    values = {
        "session_id": one.session_id,
        "broker": one.broker,
        "money": one.money,
        "instruments": one.instruments,
    }
    return connection.scalar(_SHARING, values)


def tell(connection: Connection, channel: str, words: str) -> None:
    """Tell those who listen, once this transaction commits."""
    connection.execute(_NOTIFY, {"channel": channel, "words": words})

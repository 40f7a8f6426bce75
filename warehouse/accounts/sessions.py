"""The sessions of browsers, found by the hash of their token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

_ADD = text("""
    WITH seen AS (UPDATE app.account SET signed_in_at = now() WHERE id = :account_id),
    old AS (DELETE FROM app.session
        WHERE account_id = :account_id AND least(ended_at, ends_at) < now() - interval '30 days')
    INSERT INTO app.session (account_id, token_hash, ends_at, address, agent)
    VALUES (:account_id, :token_hash, :ends_at, :address, :agent) RETURNING id
""")
_LIVE = "s.ended_at IS NULL AND s.ends_at > now() AND s.seen_at > now() - CAST(:idle AS interval)"
_FIND = text(f"""
    SELECT s.id, s.account_id, a.user_id, u.name AS user, a.role, a.must_change_password,
           s.seen_at < now() - interval '1 minute' AS is_to_be_noted
    FROM app.session s JOIN app.account a ON a.id = s.account_id
    JOIN ops.user u ON u.id = a.user_id
    WHERE s.token_hash = :token_hash AND {_LIVE} AND NOT a.is_disabled
""")  # noqa: S608  made of constants
_IS_LIVE = text(f"""
    SELECT EXISTS (
        SELECT FROM app.session s JOIN app.account a ON a.id = s.account_id
        WHERE s.id = :id AND {_LIVE} AND NOT a.is_disabled AND a.role = :role)
""")  # noqa: S608  made of constants
_SEEN = text("UPDATE app.session SET seen_at = now() WHERE id = :id")
_EVERY = text(f"""
    SELECT s.id, s.created_at, s.seen_at, s.ends_at, s.address, s.agent FROM app.session s
    WHERE s.account_id = :account_id AND {_LIVE} ORDER BY s.seen_at DESC, s.id DESC
""")  # noqa: S608  made of constants
_END = text("""
    UPDATE app.session SET ended_at = now()
    WHERE id = :id AND account_id = :account_id AND ended_at IS NULL RETURNING id
""")
_END_ALL = text("""
    UPDATE app.session SET ended_at = now()
    WHERE account_id = :account_id AND ended_at IS NULL
      AND id IS DISTINCT FROM CAST(:but AS bigint)
""")


@dataclass(frozen=True, slots=True)
class Used:
    """A session that was used, and whose it is."""

    id: int
    account_id: int
    user_id: int
    user: str
    role: str
    must_change_password: bool


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as it is stored, without its token's hash."""

    id: int
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    address: str | None
    agent: str | None


def add(
    connection: Connection,
    account_id: int,
    token_hash: bytes,
    ends_at: datetime,
    *,
    address: str | None,
    agent: str | None,
) -> int:
    """Add a session and return its id."""
    values = {
        "account_id": account_id,
        "token_hash": token_hash,
        "ends_at": ends_at,
        "address": address,
        "agent": agent and agent[:300],
    }
    return connection.execute(_ADD, values).scalar_one()


def use(connection: Connection, token_hash: bytes, idle: timedelta) -> Used | None:
    """Return whose session a token is, and note that it was used; None where it has ended.

    It is noted once a minute, as most requests only read.
    """
    values = {"token_hash": token_hash, "idle": idle}
    row = connection.execute(_FIND, values).one_or_none()
    if row is None:
        return None
    if row.is_to_be_noted:
        connection.execute(_SEEN, {"id": row.id})
    return Used(row.id, row.account_id, row.user_id, row.user, row.role, row.must_change_password)


def every(connection: Connection, account_id: int, idle: timedelta) -> list[SessionRow]:
    """Return an account's sessions that have not ended, the last used first."""
    rows = connection.execute(_EVERY, {"account_id": account_id, "idle": idle})
    return [SessionRow(**row) for row in rows.mappings()]


def end(connection: Connection, account_id: int, session_id: int) -> bool:
    """End a session of an account, and tell whether there was one."""
    values = {"id": session_id, "account_id": account_id}
    return connection.scalar(_END, values) is not None


def end_all(connection: Connection, account_id: int, but: int | None = None) -> int:
    """End an account's sessions, except one, and return how many there were."""
    return connection.execute(_END_ALL, {"account_id": account_id, "but": but}).rowcount


def is_live(connection: Connection, session_id: int, idle: timedelta, role: str) -> bool:
    """Tell whether a session goes on for a user of this role; that counts as no use of it."""
    values = {"id": session_id, "idle": idle, "role": role}
    return bool(connection.scalar(_IS_LIVE, values))

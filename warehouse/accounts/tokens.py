"""The personal tokens of programs, found by their hash."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

_ADD = text("""
    INSERT INTO app.token (account_id, name, token_hash, scopes, ends_at)
    VALUES (:account_id, :name, :token_hash, :scopes, :ends_at) RETURNING id
""")
_FIND = text("""
    SELECT t.id, t.account_id, a.user_id, u.name AS user, a.role, t.scopes,
           coalesce(t.used_at < now() - interval '1 minute', true) AS is_to_be_noted
    FROM app.token t JOIN app.account a ON a.id = t.account_id
    JOIN ops.user u ON u.id = a.user_id
    WHERE t.token_hash = :token_hash AND t.ended_at IS NULL AND t.ends_at > now()
      AND NOT a.is_disabled AND NOT a.must_change_password
""")
_IS_LIVE = text("""
    SELECT EXISTS (
        SELECT FROM app.token t JOIN app.account a ON a.id = t.account_id
        WHERE t.id = :id AND t.ended_at IS NULL AND t.ends_at > now()
          AND NOT a.is_disabled AND NOT a.must_change_password AND a.role = :role)
""")
_USED = text("UPDATE app.token SET used_at = now() WHERE id = :id")
_EVERY = text("""
    SELECT id, name, scopes, created_at, ends_at, used_at FROM app.token
    WHERE account_id = :account_id AND ended_at IS NULL ORDER BY id
""")
_END = text("""
    UPDATE app.token SET ended_at = now()
    WHERE id = :id AND account_id = :account_id AND ended_at IS NULL RETURNING id
""")
_END_ALL = text(
    "UPDATE app.token SET ended_at = now() WHERE account_id = :account_id AND ended_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Used:
    """A token that was used, and whose it is."""

    id: int
    account_id: int
    user_id: int
    user: str
    role: str
    scopes: list[str]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as it is stored, without its hash."""

    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    ends_at: datetime
    used_at: datetime | None


def add(
    connection: Connection,
    account_id: int,
    name: str,
    token_hash: bytes,
    scopes: Collection[str],
    ends_at: datetime,
) -> int:
    """Add a token and return its id."""
    values = {
        "account_id": account_id,
        "name": name,
        "token_hash": token_hash,
        "scopes": sorted(scopes),
        "ends_at": ends_at,
    }
    return connection.execute(_ADD, values).scalar_one()


def use(connection: Connection, token_hash: bytes) -> Used | None:
    """Return whose token this is, and note, once a minute, that it was used."""
    row = connection.execute(_FIND, {"token_hash": token_hash}).one_or_none()
    if row is None:
        return None
    if row.is_to_be_noted:
        connection.execute(_USED, {"id": row.id})
    return Used(row.id, row.account_id, row.user_id, row.user, row.role, row.scopes)


def every(connection: Connection, account_id: int) -> list[TokenRow]:
    """Return an account's tokens that were not taken back, the oldest first."""
    rows = connection.execute(_EVERY, {"account_id": account_id})
    return [TokenRow(**row) for row in rows.mappings()]


def end(connection: Connection, account_id: int, token_id: int) -> bool:
    """Take a token of an account back, and tell whether there was one."""
    return connection.scalar(_END, {"id": token_id, "account_id": account_id}) is not None


def end_all(connection: Connection, account_id: int) -> int:
    """Take all tokens of an account back, and return how many there were."""
    return connection.execute(_END_ALL, {"account_id": account_id}).rowcount


def is_live(connection: Connection, token_id: int, role: str) -> bool:
    """Tell whether a token goes on for a user of this role; that counts as no use of it."""
    return bool(connection.scalar(_IS_LIVE, {"id": token_id, "role": role}))

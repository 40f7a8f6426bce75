"""The accounts, each of one user."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, text

LOCK = 0x61636373  # whoever counts administrators before changing one
_ROW = """
    SELECT a.id, a.user_id, u.name AS user, a.role, a.password_hash, a.must_change_password,
           a.is_disabled, a.created_at, a.signed_in_at, q.runs_per_day, q.scenes_at_once
    FROM app.account a JOIN ops.user u ON u.id = a.user_id
    LEFT JOIN app.quota q ON q.user_id = a.user_id
"""
_BY_ID = text(f"{_ROW} WHERE a.id = :account_id")
_BY_NAME = text(f"{_ROW} WHERE u.name = :name")
_BY_SUBJECT = text(f"{_ROW} WHERE a.oidc_issuer = :issuer AND a.oidc_subject = :subject")
_EVERY = text(f"{_ROW} ORDER BY u.name")
_IS_USED = text("SELECT EXISTS (SELECT FROM ops.user WHERE name = :name)")
_USER_ID = text("SELECT id FROM ops.user WHERE name = :name")
_ADD = text("""
    INSERT INTO app.account (user_id, role, password_hash, must_change_password,
                             password_changed_at, oidc_issuer, oidc_subject)
    VALUES (:user_id, :role, :hashed, :must_change,
            CASE WHEN CAST(:hashed AS text) IS NULL THEN NULL ELSE now() END, :issuer, :subject)
    ON CONFLICT DO NOTHING RETURNING id
""")
_SET_PASSWORD = text("""
    UPDATE app.account SET password_hash = :hashed, must_change_password = :must_change,
        password_changed_at = now()
    WHERE id = :account_id
""")
_REHASH = text("UPDATE app.account SET password_hash = :hashed WHERE id = :account_id")
_CHANGE = text("""
    UPDATE app.account SET role = coalesce(:role, role),
        is_disabled = coalesce(:is_disabled, is_disabled)
    WHERE id = :account_id
""")
_COUNT = text("SELECT count(*) FROM app.account")
_ADMINS = text("SELECT count(*) FROM app.account WHERE role = 'admin' AND NOT is_disabled")


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as it is stored."""

    id: int
    user_id: int
    user: str
    role: str
    password_hash: str | None = field(repr=False)
    must_change_password: bool
    is_disabled: bool
    created_at: datetime
    signed_in_at: datetime | None
    runs_per_day: int | None
    scenes_at_once: int | None


def lock(connection: Connection) -> None:
    """Let nobody else count or change accounts until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def by_id(connection: Connection, account_id: int) -> AccountRow:
    """Return an account that is there."""
    row = connection.execute(_BY_ID, {"account_id": account_id}).mappings().one()
    return AccountRow(**row)


def by_name(connection: Connection, name: str) -> AccountRow | None:
    """Return the account of a user."""
    row = connection.execute(_BY_NAME, {"name": name}).mappings().one_or_none()
    return None if row is None else AccountRow(**row)


def by_subject(connection: Connection, issuer: str, subject: str) -> AccountRow | None:
    """Return the account that an identity provider calls by this subject."""
    values = {"issuer": issuer, "subject": subject}
    row = connection.execute(_BY_SUBJECT, values).mappings().one_or_none()
    return None if row is None else AccountRow(**row)


def every(connection: Connection) -> list[AccountRow]:
    """Return all accounts, by name."""
    return [AccountRow(**row) for row in connection.execute(_EVERY).mappings()]


def user_id_of(connection: Connection, name: str) -> int | None:
    """Return the id of a user, with an account or without; None where there is none."""
    return connection.scalar(_USER_ID, {"name": name})


def is_used(connection: Connection, name: str) -> bool:
    """Tell whether there is a user of this name, with an account or without."""
    return bool(connection.scalar(_IS_USED, {"name": name}))


def add(
    connection: Connection,
    user_id: int,
    role: str,
    hashed: str | None,
    *,
    must_change_password: bool = False,
    oidc: tuple[str, str] | None = None,
) -> int | None:
    """Add a user's account and return its id; None where there is one.

    oidc: the issuer and the subject of one who signs in at an identity provider
    """
    issuer, subject = oidc or (None, None)
    values = {
        "user_id": user_id,
        "role": role,
        "hashed": hashed,
        "must_change": must_change_password,
        "issuer": issuer,
        "subject": subject,
    }
    return connection.scalar(_ADD, values)


def set_password(
    connection: Connection, account_id: int, hashed: str, *, must_change: bool
) -> None:
    """Store a new password's hash."""
    values = {"account_id": account_id, "hashed": hashed, "must_change": must_change}
    connection.execute(_SET_PASSWORD, values)


def rehash(connection: Connection, account_id: int, hashed: str) -> None:
    """Store the same password under today's parameters."""
    connection.execute(_REHASH, {"account_id": account_id, "hashed": hashed})


def change(
    connection: Connection, account_id: int, *, role: str | None, is_disabled: bool | None
) -> None:
    """Change an account; None leaves as it is."""
    values = {"account_id": account_id, "role": role, "is_disabled": is_disabled}
    connection.execute(_CHANGE, values)


def count(connection: Connection) -> int:
    """Return how many accounts there are."""
    return int(connection.scalar(_COUNT) or 0)


def count_admins(connection: Connection) -> int:
    """Return how many administrators may sign in."""
    return int(connection.scalar(_ADMINS) or 0)

"""Invitations: each lets one person make an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

_ADD = text("""
    INSERT INTO app.invitation (token_hash, role, note, made_by, ends_at)
    VALUES (:token_hash, :role, :note, :made_by, :ends_at) RETURNING id
""")
_EVERY = text("""
    SELECT i.id, i.role, i.note, m.name AS made_by, i.created_at, i.ends_at, i.used_at,
           w.name AS used_by
    FROM app.invitation i
    JOIN app.account a ON a.id = i.made_by JOIN ops.user m ON m.id = a.user_id
    LEFT JOIN app.account b ON b.id = i.used_by LEFT JOIN ops.user w ON w.id = b.user_id
    WHERE i.ended_at IS NULL ORDER BY i.id DESC LIMIT 200
""")
_OPEN = "used_at IS NULL AND ended_at IS NULL AND ends_at > now()"
_ROLE = text(f"SELECT role FROM app.invitation WHERE token_hash = :token_hash AND {_OPEN}")  # noqa: S608
_TAKE = text(f"""
    SELECT id, role FROM app.invitation WHERE token_hash = :token_hash AND {_OPEN} FOR UPDATE
""")  # noqa: S608  made of constants
_USE = text("UPDATE app.invitation SET used_at = now(), used_by = :account_id WHERE id = :id")
_END = text("""
    UPDATE app.invitation SET ended_at = now()
    WHERE id = :id AND used_at IS NULL AND ended_at IS NULL RETURNING id
""")


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """An invitation as it is stored, without its token's hash."""

    id: int
    role: str
    note: str | None
    made_by: str
    created_at: datetime
    ends_at: datetime
    used_at: datetime | None
    used_by: str | None


def add(
    connection: Connection,
    token_hash: bytes,
    role: str,
    note: str | None,
    made_by: int,
    ends_at: datetime,
) -> int:
    """Add an invitation and return its id."""
    values = {
        "token_hash": token_hash,
        "role": role,
        "note": note,
        "made_by": made_by,
        "ends_at": ends_at,
    }
    return connection.execute(_ADD, values).scalar_one()


def every(connection: Connection) -> list[InvitationRow]:
    """Return the last 200 invitations that were not taken back, the newest first."""
    return [InvitationRow(**row) for row in connection.execute(_EVERY).mappings()]


def role_of(connection: Connection, token_hash: bytes) -> str | None:
    """Return the role that an invitation gives; None where it has ended or there is none."""
    return connection.scalar(_ROLE, {"token_hash": token_hash})


def take(connection: Connection, token_hash: bytes) -> tuple[int, str] | None:
    """Return an open invitation's id and role; nobody else takes it until the transaction ends."""
    row = connection.execute(_TAKE, {"token_hash": token_hash}).one_or_none()
    return None if row is None else (row.id, row.role)


def use(connection: Connection, invitation_id: int, account_id: int) -> None:
    """Store who used an invitation."""
    connection.execute(_USE, {"id": invitation_id, "account_id": account_id})


def end(connection: Connection, invitation_id: int) -> bool:
    """Take an invitation back that nobody used, and tell whether there was one."""
    return connection.scalar(_END, {"id": invitation_id}) is not None

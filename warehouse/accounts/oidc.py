"""Sign-ins that are at the identity provider now, by the hash of their state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection, text

_ADD = text("""
    INSERT INTO app.oidc_attempt (state_hash, nonce, code_verifier, return_to, ends_at)
    VALUES (:state_hash, :nonce, :code_verifier, :return_to, now() + CAST(:lasts AS interval))
""")
_TAKE = text("""
    DELETE FROM app.oidc_attempt WHERE state_hash = :state_hash
    RETURNING nonce, code_verifier, return_to, ends_at > now() AS is_open
""")
_CLEAN = text("DELETE FROM app.oidc_attempt WHERE ends_at < now()")


@dataclass(frozen=True, slots=True)
class Attempt:
    """The values that were sent along with a sign-in.

    return_to: a path of ours, where the browser was.
    """

    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    return_to: str


def add(connection: Connection, state_hash: bytes, attempt: Attempt, lasts: timedelta) -> None:
    """Store a sign-in that begins, and forget those that never came back."""
    connection.execute(_CLEAN)
    values = {
        "state_hash": state_hash,
        "nonce": attempt.nonce,
        "code_verifier": attempt.code_verifier,
        "return_to": attempt.return_to,
        "lasts": lasts,
    }
    connection.execute(_ADD, values)


def take(connection: Connection, state_hash: bytes) -> Attempt | None:
    """Return a sign-in that comes back, once; None where it took too long or never began."""
    row = connection.execute(_TAKE, {"state_hash": state_hash}).one_or_none()
    if row is None or not row.is_open:
        return None
    return Attempt(row.nonce, row.code_verifier, row.return_to)

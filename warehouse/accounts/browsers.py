"""Browsers from which users have signed in, found by the hash of what they keep.

A browser that signed in before is told apart from all others at its address: who guesses there
holds up nobody who comes from it.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

MOST = 20  # of an account: the newest
_KNOWN = text("""
    SELECT b.id FROM app.browser b JOIN app.account a ON a.id = b.account_id
    JOIN ops.user u ON u.id = a.user_id
    WHERE b.token_hash = :token_hash AND u.name = :name
      AND b.signed_in_at > now() - interval '400 days'
""")
_IS_OURS = text("SELECT EXISTS (SELECT FROM app.browser WHERE token_hash = :token_hash)")
_SEEN = text("""
    INSERT INTO app.browser (account_id, token_hash) VALUES (:account_id, :token_hash)
    ON CONFLICT (account_id, token_hash) DO UPDATE SET signed_in_at = now()
""")
_CLEAN = text("""
    DELETE FROM app.browser WHERE account_id = :account_id AND id NOT IN (
        SELECT id FROM app.browser WHERE account_id = :account_id
        ORDER BY signed_in_at DESC, id DESC LIMIT :most)
""")
_FORGET = text("DELETE FROM app.browser WHERE account_id = :account_id")


def known(connection: Connection, name: str, token_hash: bytes) -> int | None:
    """Return the id of a browser from which the user of a name has signed in; None for others."""
    return connection.scalar(_KNOWN, {"name": name, "token_hash": token_hash})


def is_ours(connection: Connection, token_hash: bytes) -> bool:
    """Tell whether a browser got this from us, for whichever user."""
    return bool(connection.scalar(_IS_OURS, {"token_hash": token_hash}))


def seen(connection: Connection, account_id: int, token_hash: bytes) -> None:
    """Remember that an account signed in from a browser."""
    connection.execute(_SEEN, {"account_id": account_id, "token_hash": token_hash})
    connection.execute(_CLEAN, {"account_id": account_id, "most": MOST})


def forget(connection: Connection, account_id: int) -> None:
    """Forget all browsers of an account."""
    connection.execute(_FORGET, {"account_id": account_id})

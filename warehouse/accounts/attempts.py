"""Sign-ins that failed, by user and address, and how long the next one has to wait.

Somebody who guesses a user's password from one address waits longer and longer there; the user
himself, elsewhere, does not wait. Many addresses that guess at one user, and one address that
guesses at many users, wait too, but only after more failures than honest people make.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

FREE, FREE_OF_ADDRESS, FREE_OF_USER = 5, 30, 100  # failures in an hour before anybody waits
LONGEST_S, LONGEST_OF_USER_S = 900.0, 5.0
_COUNTS = text("""
    SELECT
        count(*) FILTER (WHERE name_hash = :name_hash AND address = :address) AS of_both,
        count(*) FILTER (WHERE address = :address) AS of_address,
        count(*) FILTER (WHERE name_hash = :name_hash) AS of_user,
        extract(epoch FROM now() - max(at) FILTER
            (WHERE name_hash = :name_hash AND address = :address)) AS both_s,
        extract(epoch FROM now() - max(at) FILTER (WHERE address = :address)) AS address_s,
        extract(epoch FROM now() - max(at) FILTER (WHERE name_hash = :name_hash)) AS user_s
    FROM app.attempt
    WHERE at > now() - interval '1 hour' AND (address = :address OR name_hash = :name_hash)
""")
_NOTE = text("INSERT INTO app.attempt (name_hash, address) VALUES (:name_hash, :address)")
_CLEAN = text("DELETE FROM app.attempt WHERE at < now() - interval '1 day'")
_FORGET = text("DELETE FROM app.attempt WHERE name_hash = :name_hash AND address = :address")


def wait_s(connection: Connection, name_hash: bytes, address: str) -> float:
    """Return for how many seconds nobody may try this user from this address; 0 for at once."""
    row = connection.execute(_COUNTS, {"name_hash": name_hash, "address": address}).one()
    return max(
        _left_s(row.of_both, FREE, row.both_s, LONGEST_S),
        _left_s(row.of_address, FREE_OF_ADDRESS, row.address_s, LONGEST_S),
        _left_s(row.of_user, FREE_OF_USER, row.user_s, LONGEST_OF_USER_S),
    )


def note(connection: Connection, name_hash: bytes, address: str) -> None:
    """Store that a sign-in failed, and forget those of yesterday."""
    connection.execute(_CLEAN)
    connection.execute(_NOTE, {"name_hash": name_hash, "address": address})


def forget(connection: Connection, name_hash: bytes, address: str) -> None:
    """Forget what failed before the user of this address signed in."""
    connection.execute(_FORGET, {"name_hash": name_hash, "address": address})


def _left_s(failures: int, free: int, since_s: float | None, longest_s: float) -> float:
    """Return what is left of a wait that doubles with each failure beyond the free ones."""
    if failures < free or since_s is None:
        return 0.0
    return max(0.0, min(longest_s, 2.0 ** min(failures - free, 20)) - float(since_s))

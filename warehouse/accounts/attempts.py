"""Sign-ins that failed, by user and address, and how long the next one has to wait.

Somebody who guesses a user's password from one address waits longer and longer there; the user
himself, elsewhere, does not wait. If many guesses came from one address, only the users who guessed
wait longer, because a whole office may share the address. Many addresses that guess at one user
hold up who comes from a browser that nobody knows, for seconds.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

# Failures in an hour before anybody waits. Tries under way count: a script signs in several times.
FREE, FREE_OF_ADDRESS, FREE_OF_USER = 10, 30, 100
LONGEST_S, LONGEST_OF_ADDRESS_S, LONGEST_OF_USER_S = 900.0, 60.0, 5.0
A_MINUTE, FLOOD_S = 60, 2.0  # tries of an address in a minute; each costs a processor's time
_COUNTS = text("""
    SELECT
        count(*) FILTER (WHERE name_hash = :name_hash AND address = :address) AS of_both,
        count(*) FILTER (WHERE address = :address) AS of_address,
        count(*) FILTER (WHERE address = :address
                         AND at > now() - interval '1 minute') AS of_minute,
        count(*) FILTER (WHERE name_hash = :name_hash) AS of_user,
        extract(epoch FROM now() - max(at) FILTER
            (WHERE name_hash = :name_hash AND address = :address)) AS both_s,
        extract(epoch FROM now() - max(at) FILTER (WHERE name_hash = :name_hash)) AS user_s
    FROM app.attempt
    WHERE at > now() - interval '1 hour' AND (address = :address OR name_hash = :name_hash)
""")
_LATELY = text("""
    SELECT count(*) FROM app.attempt
    WHERE name_hash = :name_hash AND address = :place AND at > now() - interval '1 minute'
""")
_NOTE = text("INSERT INTO app.attempt (name_hash, address) VALUES (:name_hash, :address)")
_CLEAN = text("DELETE FROM app.attempt WHERE at < now() - interval '1 day'")
_FORGET = text("DELETE FROM app.attempt WHERE name_hash = :name_hash AND address = :address")


def wait_s(connection: Connection, name_hash: bytes, address: str) -> float:
    """Return for how many seconds nobody may try this user from this address; 0 for at once.

    At an address with many failures, each user's wait begins with his own last one there, so that
    others cannot shut him out.
    """
    row = connection.execute(_COUNTS, {"name_hash": name_hash, "address": address}).one()
    return max(
        _left_s(row.of_both, FREE, row.both_s, LONGEST_S),
        _left_s(row.of_address, FREE_OF_ADDRESS, row.both_s, LONGEST_OF_ADDRESS_S),
        _left_s(row.of_user, FREE_OF_USER, row.user_s, LONGEST_OF_USER_S),
        FLOOD_S if row.of_minute >= A_MINUTE else 0.0,
    )


def own_wait_s(connection: Connection, name_hash: bytes, place: str) -> float:
    """Return the same where only one's own failures count: a browser that is known, say."""
    row = connection.execute(_COUNTS, {"name_hash": name_hash, "address": place}).one()
    return _left_s(row.of_both, FREE, row.both_s, LONGEST_S)


def lately(connection: Connection, name_hash: bytes, place: str) -> int:
    """Count what was noted of one thing at one place in the last minute."""
    return int(connection.scalar(_LATELY, {"name_hash": name_hash, "place": place}) or 0)


def note(connection: Connection, name_hash: bytes, address: str) -> None:
    """Store that somebody tries, and forget who tried yesterday."""
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

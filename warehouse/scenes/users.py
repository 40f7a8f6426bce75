"""Who publishes scenes. Names only: signing in is another room's."""

from __future__ import annotations

from sqlalchemy import Connection, text

_ENSURE = text("""
    WITH added AS (
        INSERT INTO ops.user (name) VALUES (:name) ON CONFLICT (name) DO NOTHING RETURNING id
    )
    SELECT id FROM added UNION ALL SELECT id FROM ops.user WHERE name = :name LIMIT 1
""")


def ensure(connection: Connection, name: str) -> int:
    """Return the id of a user, who is a member from the first time that the name is used.

    Raises ValueError for a name that is empty, longer than 100 characters or edged with blanks.
    """
    if not name or name != name.strip() or len(name) > 100:
        raise ValueError(f"expected a user's name of 1 to 100 characters, but found {name!r}")
    return connection.execute(_ENSURE, {"name": name}).scalar_one()

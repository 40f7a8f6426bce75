"""The users who publish scenes. Names only: signing in belongs elsewhere."""

from __future__ import annotations

from sqlalchemy import Connection, text

_ENSURE = text("""
    WITH added AS (
        INSERT INTO ops.user (name) VALUES (:name) ON CONFLICT (name) DO NOTHING RETURNING id
    )
    SELECT id FROM added UNION ALL SELECT id FROM ops.user WHERE name = :name LIMIT 1
""")
_NAME = text("SELECT name FROM ops.user WHERE id = :user_id")


def ensure(connection: Connection, name: str) -> int:
    """Return a user's id, and create the user when the name is first used.

    Raises ValueError for a name that is empty, longer than 100 characters or surrounded by blanks.
    """
    if not name or name != name.strip() or len(name) > 100:
        raise ValueError(f"expected a user's name of 1 to 100 characters, but found {name!r}")
    return connection.execute(_ENSURE, {"name": name}).scalar_one()


def name_of(connection: Connection, user_id: int | None) -> str | None:
    """Return a user's name; None where nobody is known."""
    return connection.scalar(_NAME, {"user_id": user_id})

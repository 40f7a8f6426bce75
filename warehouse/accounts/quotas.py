"""The quotas of users, and what they have used of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text

_LOCK = text("SELECT pg_advisory_xact_lock(1903128948, :user_id)")
_LIMITS = text("""
    SELECT u.name AS user, q.runs_per_day, q.scenes_at_once
    FROM ops.user u LEFT JOIN app.quota q ON q.user_id = u.id WHERE u.id = :user_id
""")
_WITHOUT_ACCOUNT = text("""
    SELECT u.id, u.name FROM ops.user u
    WHERE NOT EXISTS (SELECT FROM app.account a WHERE a.user_id = u.id)
    ORDER BY u.name LIMIT :most
""")
# Of the scenes that the planner has taken: an announcement alone asks for nothing.
_USED = text("""
    SELECT (SELECT runs_per_day FROM app.quota WHERE user_id = :user_id) AS runs_per_day,
           (SELECT scenes_at_once FROM app.quota WHERE user_id = :user_id) AS scenes_at_once,
           coalesce(sum(s.runs) FILTER (
               WHERE s.received_at >= date_trunc('day', now(), 'UTC')), 0) AS runs_today,
           count(*) FILTER (WHERE s.status IN ('received', 'planned')) AS scenes_now
    FROM ops.scene s
    WHERE s.user_id = :user_id AND s.status <> 'rejected' AND s.partition IS NOT NULL
      AND (s.received_at >= date_trunc('day', now(), 'UTC')
           OR s.status IN ('received', 'planned'))
""")

_PUT = text("""
    INSERT INTO app.quota (user_id, runs_per_day, scenes_at_once)
    VALUES (:user_id, :runs_per_day, :scenes_at_once)
    ON CONFLICT (user_id) DO UPDATE SET
        runs_per_day = excluded.runs_per_day, scenes_at_once = excluded.scenes_at_once
""")


class Limits(NamedTuple):
    """The quotas set for a user: runs a day and scenes at once; None for the default."""

    user: str
    runs_per_day: int | None
    scenes_at_once: int | None


@dataclass(frozen=True, slots=True)
class Used:
    """The quotas set for a user, None for the default, and how much is used."""

    runs_per_day: int | None
    scenes_at_once: int | None
    runs_today: int
    scenes_now: int


def used(connection: Connection, user_id: int) -> Used:
    """Return a user's quota and what is used of it."""
    row = connection.execute(_USED, {"user_id": user_id}).one()
    return Used(row.runs_per_day, row.scenes_at_once, int(row.runs_today), row.scenes_now)


def limits(connection: Connection, user_id: int) -> Limits:
    """Return what was set for a user who is there."""
    return Limits(*connection.execute(_LIMITS, {"user_id": user_id}).one())


def without_account(connection: Connection, most: int) -> dict[str, int]:
    """Return the ids of users who publish and cannot sign in, by name."""
    rows = connection.execute(_WITHOUT_ACCOUNT, {"most": most})
    return {row.name: row.id for row in rows}


def lock(connection: Connection, user_id: int) -> None:
    """Let nobody else count what a user has used until the transaction ends."""
    connection.execute(_LOCK, {"user_id": user_id})


def put(
    connection: Connection, user_id: int, runs_per_day: int | None, scenes_at_once: int | None
) -> None:
    """Store a user's quota; None for the default."""
    values = {
        "user_id": user_id,
        "runs_per_day": runs_per_day,
        "scenes_at_once": scenes_at_once,
    }
    connection.execute(_PUT, values)

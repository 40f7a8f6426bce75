"""The outbox of alerts: put in with what they are about, taken out by who delivers them.

Delivery is at least once. A process that takes an alert holds it for a while (`LEASE_S`); if it
dies, another takes it again. Under one key at most one alert waits: what is put meanwhile becomes
the same message.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, text

Level = Literal["info", "warning", "error", "critical"]
LEVELS: tuple[Level, ...] = ("info", "warning", "error", "critical")
STATES = ("waiting", "sending", "sent", "dead", "dropped")
LEASE_S = 120.0  # longer than every receiver may take for one alert
_PUT = text("""
    INSERT INTO ops.alert_outbox AS o (key, level, title, body, session_id, user_id)
    VALUES (:key, :level, :title, :body, :session_id, :user_id)
    ON CONFLICT (key) WHERE state = 'waiting' DO UPDATE SET
        times = o.times + 1, last_at = clock_timestamp(), title = excluded.title,
        body = excluded.body,
        level = CASE
            WHEN array_position(ARRAY['info', 'warning', 'error', 'critical'], excluded.level)
               > array_position(ARRAY['info', 'warning', 'error', 'critical'], o.level)
            THEN excluded.level ELSE o.level END
    RETURNING id
""")
_DROP = text("""
    UPDATE ops.alert_outbox SET state = 'dropped', error = :why
    WHERE state = 'waiting' AND (:all OR level = ANY (:levels))
""")
_GIVE_UP = text("""
    UPDATE ops.alert_outbox SET state = 'dead'
    WHERE state IN ('waiting', 'sending') AND attempts > 0 AND last_at < :before
""")
# what the same matter said a moment ago waits, unless it has become worse since
_TAKE = text("""
    UPDATE ops.alert_outbox o SET state = 'sending', attempts = attempts + 1, due_at = :lease
    WHERE o.id = (
        SELECT w.id FROM ops.alert_outbox w
        WHERE w.state IN ('waiting', 'sending') AND w.due_at <= :now AND w.level = ANY (:levels)
          AND NOT EXISTS (
              SELECT FROM ops.alert_outbox s
              WHERE s.key = w.key AND s.state = 'sent' AND s.sent_at > :told_since
                AND array_position(ARRAY['info', 'warning', 'error', 'critical'], s.level)
                 >= array_position(ARRAY['info', 'warning', 'error', 'critical'], w.level))
        ORDER BY array_position(ARRAY['info', 'warning', 'error', 'critical'], w.level) DESC, w.id
        FOR UPDATE SKIP LOCKED LIMIT 1)
    RETURNING id, key, level, title, body, times, created_at, last_at, attempts, delivered
""")
_SENT = text("""
    UPDATE ops.alert_outbox
    SET state = 'sent', sent_at = :now, delivered = :delivered, error = NULL
    WHERE id = :id
""")
_FRESH = text("""
    SELECT id FROM ops.alert_outbox WHERE key = :key AND state = 'waiting' FOR UPDATE
""")
# A newer one of the same key waits already: it says all, to the receivers that have this one too.
_MERGE = text("""
    UPDATE ops.alert_outbox f
    SET times = f.times + m.times, created_at = least(f.created_at, m.created_at),
        attempts = m.attempts, due_at = :due_at, error = :error
    FROM ops.alert_outbox m WHERE f.id = :fresh AND m.id = :id
""")
_REMOVE = text("DELETE FROM ops.alert_outbox WHERE id = :id")
_BACK = text("""
    UPDATE ops.alert_outbox
    SET state = 'waiting', due_at = :due_at, delivered = :delivered, error = :error
    WHERE id = :id
""")
_PAUSED = text("SELECT receiver, failures, paused_until FROM ops.alert_receiver")
_PAUSE = text("""
    INSERT INTO ops.alert_receiver AS r
        (receiver, service, failures, paused_until, error, changed_at)
    VALUES (:receiver, :service, 1, :until, :error, :now)
    ON CONFLICT (receiver) DO UPDATE SET
        failures = r.failures + 1, paused_until = excluded.paused_until, error = excluded.error,
        changed_at = excluded.changed_at
""")
_WELL = text("DELETE FROM ops.alert_receiver WHERE receiver = :receiver")
_COUNTED = text("SELECT state, count(*) AS times FROM ops.alert_outbox GROUP BY state")
_SINCE = text("""
    SELECT level, sum(times) FROM ops.alert_outbox
    WHERE last_at >= :start AND last_at < :end AND key NOT LIKE 'digest:%' GROUP BY level
""")
_HAS = text("SELECT EXISTS (SELECT FROM ops.alert_outbox WHERE key = :key)")


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should know. key: the same for the same matter."""

    level: Level
    key: str
    title: str
    body: str
    session_id: UUID | None = None
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """An alert that this process delivers now. delivered: receivers that have it, by their hash."""

    id: int
    key: str
    level: Level
    title: str
    body: str
    times: int
    created_at: datetime
    last_at: datetime
    attempts: int
    delivered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Paused:
    """A receiver that failed so many times in a row, and is left alone until then."""

    receiver: str
    failures: int
    paused_until: datetime


def put(connection: Connection, alert: Alert) -> int:
    """Put an alert into the outbox, in the caller's transaction; return its id.

    One that waits under the same key takes its text, and the worse level of both.
    """
    values = {
        "key": alert.key[:300],
        "level": alert.level,
        "title": alert.title[:200],
        "body": alert.body[:4_000],
        "session_id": alert.session_id,
        "user_id": alert.user_id,
    }
    return connection.execute(_PUT, values).scalar_one()


def put_once(connection: Connection, alert: Alert) -> bool:
    """Put an alert whose key was never used; return whether it was put."""
    if connection.execute(_HAS, {"key": alert.key}).scalar_one():
        return False
    put(connection, alert)
    return True


def drop(connection: Connection, levels: Collection[Level], why: str, *, is_all: bool) -> int:
    """Keep waiting alerts of these levels, or all, from being delivered; return how many."""
    values = {"levels": list(levels), "why": why, "all": is_all}
    return connection.execute(_DROP, values).rowcount


def give_up(connection: Connection, before: datetime) -> int:
    """Give up alerts that were tried and are older; return how many."""
    return connection.execute(_GIVE_UP, {"before": before}).rowcount


def take(
    connection: Connection, now: datetime, levels: Collection[Level], told_since: datetime
) -> Taken | None:
    """Take the worst alert that is due, for LEASE_S. Commit before it is delivered.

    levels: that may be delivered now
    told_since: one whose key was delivered later than this waits, unless it is worse than that
    """
    values = {
        "now": now,
        "lease": now + timedelta(seconds=LEASE_S),
        "levels": list(levels),
        "told_since": told_since,
    }
    row = connection.execute(_TAKE, values).one_or_none()
    if row is None:
        return None
    *head, delivered = row
    return Taken(*head, delivered=tuple(delivered))


def sent(connection: Connection, taken: Taken, delivered: Sequence[str], now: datetime) -> None:
    """Note that every receiver has it."""
    connection.execute(_SENT, {"id": taken.id, "delivered": list(delivered), "now": now})


def put_back(
    connection: Connection, taken: Taken, delivered: Sequence[str], due_at: datetime, error: str
) -> None:
    """Let an alert wait again: some receiver does not have it."""
    values = {"id": taken.id, "due_at": due_at, "error": error[:300], "key": taken.key}
    fresh = connection.execute(_FRESH, values).scalar_one_or_none()
    if fresh is None:
        connection.execute(_BACK, values | {"delivered": list(delivered)})
    else:
        connection.execute(_MERGE, values | {"fresh": fresh})
        connection.execute(_REMOVE, values)


def paused(connection: Connection) -> dict[str, Paused]:
    """Return the receivers that failed last, by their hash."""
    return {row.receiver: Paused(*row) for row in connection.execute(_PAUSED)}


def pause(
    connection: Connection,
    receiver: str,
    service: str,
    until: datetime,
    error: str,
    now: datetime,
) -> None:
    """Leave a receiver alone until then."""
    values = {
        "receiver": receiver,
        "service": service,
        "until": until,
        "error": error[:300],
        "now": now,
    }
    connection.execute(_PAUSE, values)


def is_well(connection: Connection, receiver: str) -> None:
    """Note that a receiver takes alerts again."""
    connection.execute(_WELL, {"receiver": receiver})


def counted(connection: Connection) -> dict[str, int]:
    """Return how many alerts there are by state."""
    return {row.state: row.times for row in connection.execute(_COUNTED)}


def levels_between(connection: Connection, start: datetime, end: datetime) -> dict[str, int]:
    """Return how often something was told in [start, end), by level, digests left out."""
    values = {"start": start, "end": end}
    return {level: int(times) for level, times in connection.execute(_SINCE, values)}

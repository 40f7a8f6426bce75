"""Cards of scenes: the labels of their owners, and the request that made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

_SAVE = text("""
    INSERT INTO app.scene_card AS card (scene_id, name, note, tags, is_private)
    VALUES (:scene_id, :name, coalesce(:note, ''), coalesce(CAST(:tags AS text[]), '{}'),
            coalesce(:is_private, false))
    ON CONFLICT (scene_id) DO UPDATE SET
        name = coalesce(excluded.name, card.name),
        note = coalesce(:note, card.note),
        tags = coalesce(CAST(:tags AS text[]), card.tags),
        is_private = coalesce(:is_private, card.is_private),
        changed_at = now()
""")
_HIDE = text("""
    INSERT INTO app.scene_card (scene_id, is_private) VALUES (:scene_id, true)
    ON CONFLICT DO NOTHING
""")
_IS_KEPT_PRIVATE = text("""
    SELECT EXISTS (
        SELECT FROM app.scene_card card JOIN ops.scene s ON s.scene_id = card.scene_id
        WHERE card.is_private AND s.user_id = :user_id AND s.content_hash = :content_hash)
""")
# The lock lets a second request with the same key wait until the first one is done.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:account_id || ':' || :key, 1))")
_FIND = text("""
    SELECT request_hash, scene_id FROM app.idempotency
    WHERE account_id = :account_id AND key = :key AND created_at > now() - interval '1 day'
""")
_KEEP = text("""
    INSERT INTO app.idempotency (account_id, key, request_hash, scene_id)
    VALUES (:account_id, :key, :request_hash, :scene_id)
    ON CONFLICT (account_id, key) DO UPDATE SET request_hash = excluded.request_hash,
        scene_id = excluded.scene_id, created_at = now()
""")

CHANGED = "mela_scene"  # the channel on which processes hear that something of a scene changed
_TELL = text("SELECT pg_notify(:channel, :scene_id)")


@dataclass(frozen=True, slots=True)
class Requested:
    """A publication that was asked for before, with the hash of that request."""

    request_hash: bytes
    scene_id: UUID


def save(
    connection: Connection,
    scene_id: UUID,
    *,
    name: str | None = None,
    note: str | None = None,
    tags: Sequence[str] | None = None,
    is_private: bool | None = None,
) -> None:
    """Keep what an owner says of a scene; what is None stays as it is."""
    values = {"scene_id": scene_id, "name": name, "note": note, "is_private": is_private}
    connection.execute(_SAVE, values | {"tags": None if tags is None else list(tags)})


def keep_private(connection: Connection, scene_id: UUID) -> None:
    """Hide a scene that nobody has said anything of yet. It takes no more than to add a card."""
    connection.execute(_HIDE, {"scene_id": scene_id})


def is_kept_private(connection: Connection, user_id: int, content_hash: str) -> bool:
    """Tell whether a user has a scene of this content, and keeps it private."""
    values = {"user_id": user_id, "content_hash": content_hash}
    return bool(connection.scalar(_IS_KEPT_PRIVATE, values))


def lock_key(connection: Connection, account_id: int, key: str) -> Requested | None:
    """Return what was published under an Idempotency-Key in the last day.

    Until the transaction ends, others with the same key wait.
    """
    values = {"account_id": account_id, "key": key}
    connection.execute(_LOCK, {"account_id": str(account_id), "key": key})
    row = connection.execute(_FIND, values).one_or_none()
    return None if row is None else Requested(bytes(row.request_hash), row.scene_id)


def keep_key(
    connection: Connection, account_id: int, key: str, request_hash: bytes, scene_id: UUID
) -> None:
    """Remember what was published under an Idempotency-Key."""
    values = {"account_id": account_id, "key": key, "scene_id": scene_id}
    connection.execute(_KEEP, values | {"request_hash": request_hash})


def tell(connection: Connection, scene_id: UUID) -> None:
    """Let all processes of the application hear that a scene changed, once this commits."""
    connection.execute(_TELL, {"channel": CHANGED, "scene_id": str(scene_id)})

"""Trainings that scenes ask for: which wait, how far each is, and what it has done so far."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from mela.settings import Settings
from warehouse.database import engine_for, transaction

_WANT = text("""
    INSERT INTO ops.training (scene_id, name) VALUES (:scene_id, :name) ON CONFLICT DO NOTHING
""")
_WAITING = text("""
    SELECT t.scene_id FROM ops.training t JOIN ops.scene s USING (scene_id)
    WHERE t.ended_at IS NULL AND s.status IN ('planned', 'cancelled')
    ORDER BY t.asked_at, t.scene_id LIMIT :most
""")
_GET = text("""
    SELECT t.scene_id, t.name, t.done, t.doing, t.attempts, t.started_at, t.ended_at,
           t.error_class, t.error_sentence, t.version, s.runs, s.status, s.content, s.cancelled_at,
           s.mlflow_run_id
    FROM ops.training t JOIN ops.scene s USING (scene_id) WHERE t.scene_id = :scene_id
""")
_BEGIN = text("""
    UPDATE ops.training SET started_at = coalesce(started_at, now()), doing = NULL
    WHERE scene_id = :scene_id AND ended_at IS NULL
""")
_BROKEN = text("""
    UPDATE ops.training SET attempts = attempts + 1, doing = NULL
    WHERE scene_id = :scene_id AND ended_at IS NULL RETURNING attempts
""")
_DOING = text("""
    UPDATE ops.training SET doing = :doing WHERE scene_id = :scene_id AND ended_at IS NULL
""")
_PART = text("SELECT content FROM ops.training_part WHERE scene_id = :scene_id AND key = :key")
_KEEP = text("""
    INSERT INTO ops.training_part (scene_id, key, content) VALUES (:scene_id, :key, :content)
    ON CONFLICT DO NOTHING
""")
_COUNT = text("""
    UPDATE ops.training t SET attempts = 0, done = least(
        (SELECT count(*) FROM ops.training_part p WHERE p.scene_id = t.scene_id),
        (SELECT s.runs - 1 FROM ops.scene s WHERE s.scene_id = t.scene_id))
    WHERE t.scene_id = :scene_id AND t.ended_at IS NULL
""")
_END = text("""
    UPDATE ops.training SET ended_at = now(), doing = NULL, error_class = :error_class,
        error_sentence = :error_sentence, version = :version, done = coalesce(:done, done)
    WHERE scene_id = :scene_id AND ended_at IS NULL RETURNING scene_id
""")
_FORGET = text("DELETE FROM ops.training_part WHERE scene_id = :scene_id")
_UNTOLD = text("""
    SELECT scene_id FROM ops.training WHERE ended_at IS NOT NULL AND told_at IS NULL
    ORDER BY ended_at LIMIT :most
""")
_TOLD = text("UPDATE ops.training SET told_at = now() WHERE scene_id = :scene_id")
_LOCK = text("SELECT pg_try_advisory_lock(:train, :key)")
_TRAINS = 0x7472616E  # "tran": beside the first digits of a scene's id


@dataclass(frozen=True, slots=True)
class StoredTraining:
    """A training, and of its scene what says how far it is.

    done: of the `runs` fits; doing: in words; attempts: processes since it last got anywhere
    version: of the model that came of it; error_class, error_sentence: why none did
    """

    scene_id: UUID
    name: str
    done: int
    doing: str | None
    attempts: int
    started_at: datetime | None
    ended_at: datetime | None
    error_class: str | None
    error_sentence: str | None
    version: int | None
    runs: int
    status: str
    content: Mapping[str, Any]
    cancelled_at: datetime | None
    mlflow_run_id: str | None


def want(connection: Connection, scene_id: UUID, name: str) -> None:
    """Note that a scene asks for a training; the first time stays."""
    connection.execute(_WANT, {"scene_id": scene_id, "name": name})


def waiting(connection: Connection, most: int) -> list[UUID]:
    """Return planned trainings that have not ended, the one that was asked first first."""
    return list(connection.scalars(_WAITING, {"most": most}))


def get(connection: Connection, scene_id: UUID) -> StoredTraining | None:
    """Return a training; None where the scene asks for none."""
    row = connection.execute(_GET, {"scene_id": scene_id}).mappings().one_or_none()
    return None if row is None else StoredTraining(**row)


def begin(connection: Connection, scene_id: UUID) -> None:
    """Note that a training is taken; when it was first stays."""
    connection.execute(_BEGIN, {"scene_id": scene_id})


def broken(connection: Connection, scene_id: UUID) -> int:
    """Count a process that ended by itself; return how many did since it last got anywhere."""
    return int(connection.scalar(_BROKEN, {"scene_id": scene_id}) or 0)


def say(connection: Connection, scene_id: UUID, doing: str) -> None:
    """Say what is being done."""
    connection.execute(_DOING, {"scene_id": scene_id, "doing": doing})


def part(connection: Connection, scene_id: UUID, key: str) -> bytes | None:
    """Return what was done before; None where it was not."""
    found = connection.scalar(_PART, {"scene_id": scene_id, "key": key})
    return None if found is None else bytes(found)


def keep(connection: Connection, scene_id: UUID, key: str, content: bytes) -> None:
    """Keep what was done, and count it."""
    connection.execute(_KEEP, {"scene_id": scene_id, "key": key, "content": content})
    connection.execute(_COUNT, {"scene_id": scene_id})


def end(
    connection: Connection,
    scene_id: UUID,
    *,
    version: int | None = None,
    done: int | None = None,
    error: tuple[str, str] | None = None,
) -> bool:
    """End a training and let its parts go; tell whether it had not ended before.

    version: of the model; error: a class and a sentence. Neither, where it was cancelled
    """
    error_class, error_sentence = error or (None, None)
    values = {"scene_id": scene_id, "version": version, "done": done}
    values |= {"error_class": error_class, "error_sentence": error_sentence}
    is_now = connection.scalar(_END, values) is not None
    connection.execute(_FORGET, {"scene_id": scene_id})
    return is_now


def untold(connection: Connection, most: int) -> list[UUID]:
    """Return trainings whose end was not told yet."""
    return list(connection.scalars(_UNTOLD, {"most": most}))


def set_told(connection: Connection, scene_id: UUID) -> None:
    """Note that a training's end was told."""
    connection.execute(_TOLD, {"scene_id": scene_id})


@contextmanager
def alone(settings: Settings, scene_id: UUID) -> Generator[bool]:
    """Yield whether this process, and no other, has a training; it lets go when it ends."""
    values = {"train": _TRAINS, "key": int.from_bytes(scene_id.bytes[:4], signed=True)}
    with engine_for(settings).connect() as connection:
        mine = connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            yield bool(mine.scalar(_LOCK, values))
        finally:
            connection.invalidate()  # whoever got it next would hold our lock


class Parts:
    """The parts of one training, as `forecasts.judge.checkpoint` asks for them."""

    def __init__(self, settings: Settings, scene_id: UUID) -> None:
        """Make it; nothing is asked yet."""
        self._settings, self._scene_id = settings, scene_id

    def find(self, key: str) -> bytes | None:
        """Return a part; None where it is not kept."""
        with transaction(self._settings) as connection:
            return part(connection, self._scene_id, key)

    def keep(self, key: str, content: bytes) -> None:
        """Keep a part."""
        with transaction(self._settings) as connection:
            keep(connection, self._scene_id, key, content)

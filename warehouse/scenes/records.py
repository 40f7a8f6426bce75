"""The records of published scenes and their progress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from mela.messages import SCENES, MessagePosition
from mela.scene import Scene
from mela.training import Training
from warehouse.scenes.stored_scene import COLUMNS, StoredScene

UNREADABLE = "\ufffd"  # replaces what jsonb cannot hold; mela.rejected keeps the bytes
MAX_DEPTH = 100


class PublicationStatus(StrEnum):
    """The relation of a publication to the stored scenes."""

    NEW = "new"
    REPEATED = "repeated"
    ID_CONFLICT = "id_conflict"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of recording a publication. The times are those of the stored scene."""

    outcome: PublicationStatus
    planned_at: datetime | None = None
    finished_at: datetime | None = None
    cancelled_at: datetime | None = None


_ABSENT = text("""
    INSERT INTO ops.scene (scene_id, name, content, content_hash, runs, skipped,
                           topic, partition, "offset")
    VALUES (:scene_id, :name, :content, :content_hash, :runs, :skipped,
            :topic, :partition, :offset)
    ON CONFLICT (scene_id) DO NOTHING RETURNING scene_id
""")
_ANNOUNCE = text("""
    INSERT INTO ops.scene AS old
        (scene_id, name, content, content_hash, runs, skipped, topic, user_id, rerun_of)
    VALUES (:scene_id, :name, :content, :content_hash, :runs, :skipped, :topic, :user_id, :rerun_of)
    ON CONFLICT (scene_id) DO UPDATE SET
        user_id = coalesce(old.user_id, excluded.user_id),
        rerun_of = coalesce(old.rerun_of, excluded.rerun_of)
    WHERE old.content_hash = excluded.content_hash OR old.status = 'rejected'
    RETURNING planned_at, finished_at, cancelled_at
""")
_LOCKED = text("""
    SELECT status, content_hash, planned_at, finished_at, cancelled_at
    FROM ops.scene WHERE scene_id = :scene_id FOR NO KEY UPDATE
""")
_REPLACE = text("""
    UPDATE ops.scene SET status = 'received', name = :name, content = :content,
        content_hash = :content_hash, runs = :runs, skipped = :skipped,
        topic = :topic, partition = :partition, "offset" = :offset, received_at = now(),
        rejection_code = NULL, rejection_field = NULL, rejection_sentence = NULL
    WHERE scene_id = :scene_id
""")
_PLANNED_FROM = text("""
    SELECT content FROM ops.scene
    WHERE scene_id = :scene_id AND content_hash = :content_hash AND partition IS NOT NULL
      AND status <> 'rejected'
""")
_RECOUNT = text("""
    UPDATE ops.scene SET runs = :runs, skipped = :skipped,
        content = CASE WHEN partition IS NULL THEN :content ELSE content END,
        partition = coalesce(partition, :partition), "offset" = coalesce("offset", :offset)
    WHERE scene_id = :scene_id
""")
_REJECT = text("""
    INSERT INTO ops.scene AS old (scene_id, content, status, topic, partition, "offset",
                                  rejection_code, rejection_field, rejection_sentence)
    VALUES (:scene_id, :content, 'rejected', :topic, :partition, :offset, :code, :field, :sentence)
    ON CONFLICT (scene_id) DO UPDATE SET status = 'rejected',
        content = excluded.content, topic = excluded.topic, partition = excluded.partition,
        "offset" = excluded."offset", received_at = now(),
        rejection_code = excluded.rejection_code, rejection_field = excluded.rejection_field,
        rejection_sentence = excluded.rejection_sentence
    WHERE old.status = 'rejected'
       OR (old.status = 'received' AND (old."offset" IS NULL OR :given_up))
    RETURNING scene_id
""")
_PLANNED = text("""
    UPDATE ops.scene AS scene SET planned_at = coalesce(scene.planned_at, now()),
        cached = sent.cached,
        status = CASE scene.status WHEN 'received' THEN 'planned' ELSE scene.status END
    FROM unnest(CAST(:scene_ids AS uuid[]), CAST(:counts AS integer[])) AS sent (scene_id, cached)
    WHERE scene.scene_id = sent.scene_id AND scene.status <> 'rejected'
""")
_FINISHED = text("""
    UPDATE ops.scene SET finished_at = coalesce(finished_at, now()), best = :best,
        mlflow_run_id = :mlflow_run_id,
        status = CASE status WHEN 'cancelled' THEN status ELSE 'finished' END
    WHERE scene_id = :scene_id AND status <> 'rejected'
""")
_CANCEL = text("""
    UPDATE ops.scene SET status = 'cancelled', cancelled_at = now()
    WHERE scene_id = :scene_id AND status IN ('received', 'planned') RETURNING scene_id
""")
_CANCELLED = text("""
    SELECT scene_id::text FROM ops.scene
    WHERE scene_id = ANY(CAST(:scene_ids AS uuid[])) AND cancelled_at IS NOT NULL
""")
_CANCELLED_WITHIN = text("""
    SELECT scene_id::text, cancelled_at FROM ops.scene
    WHERE cancelled_at > now() - CAST(:lately AS interval)
""")
_WITHOUT_MLFLOW = text("""
    SELECT scene_id::text FROM ops.scene
    WHERE status = 'finished' AND mlflow_run_id IS NULL
      AND content->>'kind' IS DISTINCT FROM 'train'
      AND finished_at > now() - interval '30 days'
    ORDER BY finished_at DESC LIMIT :most
""")
_MLFLOW_RUN = text("""
    UPDATE ops.scene SET mlflow_run_id = :mlflow_run_id
    WHERE scene_id = :scene_id AND mlflow_run_id IS NULL
""")
_UNPLANNED = text(f"""
    SELECT {COLUMNS} FROM ops.scene
    WHERE status = 'received' AND planned_at IS NULL AND partition IS NOT NULL AND runs > :most
      AND content->>'kind' IS DISTINCT FROM 'train'
    ORDER BY received_at, scene_id
""")  # noqa: S608  made of the names of columns
_UNTAKEN = text(f"""
    SELECT {COLUMNS} FROM ops.scene
    WHERE status = 'received' AND partition IS NULL
      AND received_at < now() - CAST(:older_than AS interval)
      AND received_at > now() - interval '7 days'
    ORDER BY received_at, scene_id LIMIT :most
""")  # noqa: S608  made of the names of columns
_GET = text(f"SELECT {COLUMNS} FROM ops.scene WHERE scene_id = :scene_id")  # noqa: S608  our own columns


def planned_content(
    connection: Connection, scene_id: str | UUID, content_hash: str
) -> dict[str, Any] | None:
    """Return what a planner began to plan a scene from; None where none has taken it yet."""
    values = {"scene_id": str(scene_id), "content_hash": content_hash}
    return connection.scalar(_PLANNED_FROM, values)


def announce(
    connection: Connection,
    scene: Scene | Training,
    *,
    runs: int = 0,
    skipped: int = 0,
    user_id: int | None = None,
    rerun_of: str | UUID | None = None,
) -> Receipt:
    """Record who publishes a scene and why, before or after it reaches the planner.

    scene: with its id. Until the planner has read it, its row has neither partition nor offset.
    Values recorded first stay. Returns REPEATED if the scene was planned before, else NEW.
    Raises ValueError if the id belongs to other content.
    """
    values = {"scene_id": str(scene.scene_id), "name": _clean(scene.name), "topic": SCENES}
    values |= {"content": _json(scene.content()), "content_hash": scene.content_hash()}
    about = {"user_id": user_id, "rerun_of": rerun_of and str(rerun_of)}
    counts = {"runs": runs, "skipped": skipped}
    row = connection.execute(_ANNOUNCE, values | counts | about).one_or_none()
    if row is None:
        raise ValueError(
            f"expected a new id, or the same content, but {scene.scene_id} is another scene's"
        )
    return Receipt(PublicationStatus.REPEATED if row.planned_at else PublicationStatus.NEW, *row)


def receive(
    connection: Connection,
    scene_id: str | UUID,
    content: Mapping[str, Any],
    content_hash: str,
    *,
    runs: int,
    skipped: int,
    name: str | None,
    origin: MessagePosition,
) -> Receipt:
    """Record a valid publication. If several arrive at once, only one finds the id free.

    content: as it is planned, its models pinned; content_hash: of what was published
    NEW: the id was free, or belonged to a rejected scene. REPEATED: the same content; until the
    scene is planned, its counts are updated, and what it was planned from first stays.
    ID_CONFLICT: the id belongs to other content; nothing changed.
    """
    counts = {"runs": runs, "skipped": skipped}
    values = {"scene_id": str(scene_id), "name": _clean(name), "content": _json(content), **counts}
    values |= {"content_hash": content_hash, **origin._asdict()}
    if connection.scalar(_ABSENT, values) is not None:
        return Receipt(PublicationStatus.NEW)
    found = connection.execute(_LOCKED, {"scene_id": str(scene_id)}).one()
    if found.status == "rejected":
        connection.execute(_REPLACE, values)
        return Receipt(PublicationStatus.NEW)
    if found.content_hash != content_hash:
        return Receipt(PublicationStatus.ID_CONFLICT)
    if found.planned_at is None:
        connection.execute(_RECOUNT, values)
    return Receipt(
        PublicationStatus.REPEATED, found.planned_at, found.finished_at, found.cancelled_at
    )


def reject(
    connection: Connection,
    scene_id: str | UUID,
    content: Any,
    *,
    code: str,
    field: str | None,
    sentence: str,
    origin: MessagePosition,
    given_up: bool = False,
) -> bool:
    """Record a rejected publication. Returns False if its id belongs to an accepted scene.

    given_up: also reject an accepted scene, because it could not be planned
    """
    values = {"scene_id": str(scene_id), "content": None if content is None else _json(content)}
    values |= {"code": code, "field": _clean(field), "sentence": _clean(sentence)}
    values |= {"given_up": given_up}
    return connection.scalar(_REJECT, values | origin._asdict()) is not None


def set_planned(connection: Connection, scene_id: str | UUID, cached: int) -> None:
    """Record that all chunks and cached answers of a scene were sent. The first time stays."""
    set_all_planned(connection, {str(scene_id): cached})


def set_all_planned(connection: Connection, cached: Mapping[str, int]) -> None:
    """Do so for several scenes.

    cached: scene_id → how many of its runs were answered from the store
    """
    connection.execute(_PLANNED, {"scene_ids": list(cached), "counts": list(cached.values())})


def set_finished(
    connection: Connection, scene_id: str | UUID, best: Any, mlflow_run_id: str | None
) -> None:
    """Record that a scene was concluded. The first time stays, and so does `cancelled`."""
    values = {"scene_id": str(scene_id), "mlflow_run_id": mlflow_run_id}
    values["best"] = None if best is None else _json(best)
    connection.execute(_FINISHED, values)


def without_mlflow(connection: Connection, most: int) -> list[str]:
    """Return finished backtests of the last 30 days that lack an MLflow run, the newest first."""
    return list(connection.scalars(_WITHOUT_MLFLOW, {"most": most}))


def set_mlflow_run(connection: Connection, scene_id: str | UUID, run_id: str) -> None:
    """Record a finished scene's MLflow run, unless one is already recorded."""
    connection.execute(_MLFLOW_RUN, {"scene_id": str(scene_id), "mlflow_run_id": run_id})


def unplanned(connection: Connection, *, more_runs_than: int) -> list[StoredScene]:
    """Return larger scenes that the planner has received and not planned, the oldest first."""
    rows = connection.execute(_UNPLANNED, {"most": more_runs_than})
    return [StoredScene(**row) for row in rows.mappings()]


def untaken(connection: Connection, older_than: timedelta, most: int) -> list[StoredScene]:
    """Return scenes that were announced a while ago and that no planner has read.

    They may never have been sent. Kafka keeps none that is older than a week.
    """
    rows = connection.execute(_UNTAKEN, {"older_than": older_than, "most": most})
    return [StoredScene(**row) for row in rows.mappings()]


def cancel(connection: Connection, scene_id: str | UUID) -> bool:
    """Cancel a scene that is received or planned; False for any other or an unknown id."""
    return connection.scalar(_CANCEL, {"scene_id": str(scene_id)}) is not None


def cancelled(connection: Connection, scene_ids: Iterable[str | UUID]) -> set[str]:
    """Return the ids of those scenes that were cancelled."""
    return set(connection.scalars(_CANCELLED, {"scene_ids": [str(one) for one in scene_ids]}))


def cancelled_within(connection: Connection, lately: timedelta) -> dict[str, datetime]:
    """Return the scenes that were cancelled lately, each with when."""
    rows = connection.execute(_CANCELLED_WITHIN, {"lately": lately})
    return {row.scene_id: row.cancelled_at for row in rows}


def get(connection: Connection, scene_id: str | UUID) -> StoredScene | None:
    """Return a scene; None for an unknown id."""
    row = connection.execute(_GET, {"scene_id": str(scene_id)}).mappings().one_or_none()
    return None if row is None else StoredScene(**row)


def _clean(value: str | None) -> str | None:
    return value and value.encode(errors="replace").decode().replace("\0", UNREADABLE)


def _json(value: Any) -> str:
    return orjson.dumps(_storable(value)).decode()


def _storable(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        return UNREADABLE
    match value:
        case str():
            return _clean(value)
        case Mapping():
            return {_clean(str(key)): _storable(part, depth + 1) for key, part in value.items()}
        case list() | tuple():
            return [_storable(part, depth + 1) for part in value]
        case int() if abs(value) >= 2**63:
            return str(value)
        case _:
            return value

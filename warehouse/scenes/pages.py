"""Pages of scenes for the application, and what is counted of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from mela.metrics import Ranking
from warehouse.accounts.visible import SCENE_IS_VISIBLE
from warehouse.results.documents import best_first

# A rejected scene's content is whatever its author sent: each step into it may find nothing.
_CONDITIONS = {
    "states": "s.status = ANY(CAST(:states AS text[]))",
    "strategy": "(s.content->'strategy'->>'name' = :strategy"
    " OR jsonb_exists(s.content->'search'->'space'->'strategy.name', :strategy))",
    "instrument": "jsonb_exists(s.content->'instruments', :instrument)",
    "interval": "(s.content->>'interval' = :interval"
    " OR jsonb_exists(s.content->'search'->'space'->'interval', :interval))",
    # Texts of instants in UTC sort as instants; those of rejected scenes may be anything.
    "start": "s.status <> 'rejected' AND s.content->>'end' > :start",
    "end": "s.status <> 'rejected' AND s.content->>'start' < :end",
    "tag": "card.tags @> ARRAY[CAST(:tag AS text)]",
    "words": "(concat_ws(' ', card.name, s.name, card.note, array_to_string(card.tags, ' '))"
    " ILIKE :words OR s.scene_id::text LIKE :digits)",
    "owner": "u.name = :owner",
    "scene_ids": "s.scene_id = ANY(CAST(:scene_ids AS uuid[]))",
    "before": "(s.received_at, s.scene_id) < (:before, CAST(:before_id AS uuid))",
    "since": "(s.status IN ('received', 'planned') OR (s.cancelled_at IS NOT NULL"
    " AND s.finished_at IS NULL) OR greatest(s.received_at, s.planned_at, s.finished_at,"
    " s.cancelled_at) >= :since)",
}
_HEADS = """
    SELECT s.scene_id, s.status, s.runs, s.skipped, s.received_at, s.planned_at, s.finished_at,
           s.cancelled_at, s.user_id, u.name AS owner, coalesce(card.name, s.name) AS name,
           coalesce(card.note, '') AS note, coalesce(card.tags, '{}') AS tags,
           coalesce(card.is_private, false) AS is_private, card.changed_at,
           s.rejection_code, s.rejection_field, s.rejection_sentence
    FROM ops.scene s LEFT JOIN ops.user u ON u.id = s.user_id
    LEFT JOIN app.scene_card card ON card.scene_id = s.scene_id
"""
_ASKED = text("""
    SELECT scene_id, content, CASE jsonb_typeof(best->'best') WHEN 'array' THEN best->'best'->0
           ELSE best->'best' END AS best
    FROM ops.scene WHERE scene_id = ANY(CAST(:scene_ids AS uuid[]))
""")
_FIRST = text("SELECT best->'first' FROM ops.scene WHERE scene_id = CAST(:scene_id AS uuid)")
_ANSWERED = text("""
    SELECT a.scene_id, count(*) AS answers, count(*) FILTER (WHERE a.cached) AS cached
    FROM ops.scene_run a WHERE a.scene_id = ANY(CAST(:scene_ids AS uuid[])) GROUP BY a.scene_id
""")
_WITHOUT_METRICS = text("""
    SELECT a.scene_id, count(*) FILTER (WHERE r.status <> 'cancelled') AS failed,
           count(*) FILTER (WHERE r.status = 'cancelled') AS cancelled
    FROM ops.scene_run a JOIN ops.result r ON r.result_key = a.result_key
    WHERE a.scene_id = ANY(CAST(:scene_ids AS uuid[])) AND r.status NOT IN ('succeeded', 'ruined')
    GROUP BY a.scene_id
""")
_FITTED = text("""
    SELECT t.scene_id, t.done FROM ops.training t
    WHERE t.scene_id = ANY(CAST(:scene_ids AS uuid[])) AND t.done > 0
""")
_PRUNED = text("""
    SELECT asked.scene_id, gone.answers, gone.cancelled
    FROM unnest(CAST(:scene_ids AS uuid[])) AS asked (scene_id)
    CROSS JOIN LATERAL ops.pruned_answers(asked.scene_id) AS gone
    WHERE EXISTS (SELECT FROM ops.pruned_answer a WHERE a.scene_id = asked.scene_id)
""")
_STATES = text("""
    SELECT status, count(*) AS scenes FROM ops.scene
    WHERE received_at > now() - interval '7 days' OR status IN ('received', 'planned')
    GROUP BY status
""")
_SPEED = text("""
    SELECT s.runs - s.cached AS runs, extract(epoch FROM stage.at - s.received_at) AS seconds
    FROM ops.scene s JOIN ops.scene_stage stage
      ON stage.scene_id = s.scene_id AND stage.stage = 'recorded'
    WHERE s.status = 'finished' AND s.finished_at > now() - interval '30 days'
    ORDER BY s.received_at DESC LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class SceneHead:
    """A scene's row, without its content. owner: None where nobody said whose it is."""

    scene_id: UUID
    status: str
    runs: int
    skipped: int
    received_at: datetime
    planned_at: datetime | None
    finished_at: datetime | None
    cancelled_at: datetime | None
    user_id: int | None
    owner: str | None
    name: str | None
    note: str
    tags: list[str]
    is_private: bool
    changed_at: datetime | None
    rejection_code: str | None
    rejection_field: str | None
    rejection_sentence: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """The request of a scene. best: the document of its best result, once it has ended."""

    content: Any
    best: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Counts:
    """The progress of a scene. recorded: answered runs, of which `cached` came from the store."""

    recorded: int = 0
    cached: int = 0
    failed: int = 0
    cancelled: int = 0


@dataclass(frozen=True, slots=True)
class BestRun:
    """The best run of a scene so far. value: of the metric that ranks."""

    run_key: str
    value: float | None
    sharpe: float | None
    total_return: float | None
    max_drawdown: float | None
    trades: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of scenes; None or empty matches all. words: somewhere in name, note or tags.

    start, end: scenes whose span meets [start, end)
    since: scenes that are under way, or that changed since
    """

    states: Collection[str] = ()
    strategy: str | None = None
    instrument: str | None = None
    interval: str | None = None
    start: str | None = None
    end: str | None = None
    tag: str | None = None
    words: str | None = None
    owner: str | None = None
    scene_ids: Collection[UUID] | None = None
    since: datetime | None = None


def heads(
    connection: Connection,
    caller_id: int | None,
    wanted: Filter,
    *,
    most: int,
    before: tuple[datetime, UUID] | None = None,
) -> list[SceneHead]:
    """Return scenes that a user may see, the newest first.

    caller_id: None for all scenes, by whomever they may be seen
    before: the place of the last scene of the page before
    """
    values: dict[str, Any] = {"most": most, "caller_id": caller_id}
    conditions = [] if caller_id is None else [SCENE_IS_VISIBLE]
    for name in ("strategy", "instrument", "interval", "start", "end", "tag", "owner", "since"):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(_CONDITIONS[name])
            values[name] = value
    if wanted.states:
        conditions.append(_CONDITIONS["states"])
        values["states"] = list(wanted.states)
    if wanted.words is not None:
        conditions.append(_CONDITIONS["words"])
        values["words"] = f"%{_literally(wanted.words)}%"
        values["digits"] = f"{_literally(wanted.words.lower())}%"
    if wanted.scene_ids is not None:
        conditions.append(_CONDITIONS["scene_ids"])
        values["scene_ids"] = [str(one) for one in wanted.scene_ids]
    if before is not None:
        conditions.append(_CONDITIONS["before"])
        values |= {"before": before[0], "before_id": str(before[1])}
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = connection.execute(
        text(f"{_HEADS} {where} ORDER BY s.received_at DESC, s.scene_id DESC LIMIT :most"), values
    )
    return [SceneHead(**row) for row in rows.mappings()]


def asked(connection: Connection, scene_ids: Iterable[UUID]) -> dict[UUID, Asked]:
    """Return what scenes ask for, and the best result of those that have ended."""
    rows = connection.execute(_ASKED, _ids(scene_ids))
    return {row.scene_id: Asked(row.content, row.best) for row in rows}


def first_runs(connection: Connection, scene_id: UUID) -> list[str]:
    """Return the best runs of a scene in order, as its end noted them; empty if it did not."""
    return connection.scalar(_FIRST, {"scene_id": str(scene_id)}) or []


def counts(connection: Connection, scene_ids: Iterable[UUID]) -> dict[UUID, Counts]:
    """Return how far scenes are, what was pruned counted in. Those without answers are left out."""
    ids = _ids(scene_ids)
    answers = {row.scene_id: row for row in connection.execute(_ANSWERED, ids)}
    without = {row.scene_id: row for row in connection.execute(_WITHOUT_METRICS, ids)}
    pruned = {row.scene_id: row for row in connection.execute(_PRUNED, ids)}
    found = {row.scene_id: Counts(recorded=row.done) for row in connection.execute(_FITTED, ids)}
    for scene_id in answers.keys() | pruned.keys():
        own, failed, gone = (each.get(scene_id) for each in (answers, without, pruned))
        cancelled = (failed.cancelled if failed else 0) + (gone.cancelled if gone else 0)
        total = (own.answers if own else 0) + (gone.answers if gone else 0)
        found[scene_id] = Counts(
            recorded=total - cancelled,
            cached=own.cached if own else 0,
            failed=failed.failed if failed else 0,
            cancelled=cancelled,
        )
    return found


def best_run(connection: Connection, scene_id: UUID, by: Ranking) -> BestRun | None:
    """Return the best run of a scene so far; None where no answer has metrics."""
    statement = f"""
        SELECT r.run_key, r.{by.metric}, r.sharpe, r.total_return, r.max_drawdown, r.trades
        FROM ops.scene_run answer JOIN ops.result r ON r.result_key = answer.result_key
        WHERE answer.scene_id = :scene_id AND r.status IN ('succeeded', 'ruined')
        ORDER BY {best_first(by)} LIMIT 1
    """  # noqa: S608  made of constants, and of a metric's name that `best_first` checks
    row = connection.execute(text(statement), {"scene_id": scene_id}).one_or_none()
    return None if row is None else BestRun(*row)


def states(connection: Connection) -> dict[str, int]:
    """Count the scenes of the last week by their state, and all that are under way."""
    return {row.status: int(row.scenes) for row in connection.execute(_STATES)}


def speeds(connection: Connection, most: int) -> list[tuple[int, float]]:
    """Return of the scenes that finished last how many runs were executed, and in how long.

    The time is that until every run was answered: MLflow, for which a scene's end waits, is not in.
    """
    rows = connection.execute(_SPEED, {"most": most})
    return [(int(row.runs), float(row.seconds)) for row in rows]


def _ids(scene_ids: Iterable[UUID]) -> dict[str, list[str]]:
    return {"scene_ids": [str(one) for one in scene_ids]}


def _literally(words: str) -> str:
    return words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")

"""Find valid stored results, the progress of scenes, and the best results of a scene."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Connection, TextClause, text

from mela.failures import Failure
from mela.metrics import Ranking, ranking
from mela.result import Provenance
from mela.run import Run
from warehouse.accounts.visible import RESULT_IS_VISIBLE
from warehouse.database import by_key
from warehouse.results.answers import answer
from warehouse.results.curves import curve, save_curve, without_curve
from warehouse.results.documents import best_first, document_sql
from warehouse.results.valid_results import VALID_RESULTS, question
from warehouse.results.writer import UnstorableResult, UnstorableRow, save, save_columns

__all__ = [
    "Best",
    "SceneProgress",
    "UnstorableResult",
    "UnstorableRow",
    "answer",
    "best_of",
    "best_value",
    "count",
    "curve",
    "find",
    "of_scene",
    "progress",
    "ranked_keys",
    "read_documents",
    "save",
    "save_columns",
    "save_curve",
    "without_curve",
]

_FIND = text(document_sql(VALID_RESULTS))
_COUNT = text(f"SELECT count(*) FROM {VALID_RESULTS}")  # noqa: S608  made of constants
_COUNT_SEEN = text(f"""
    SELECT count(*) FROM {VALID_RESULTS}
    WHERE {RESULT_IS_VISIBLE.format(result_key="r.result_key")}
""")  # noqa: S608  made of constants
_ANSWERS = """
    ops.scene_run answer
    JOIN ops.result r ON r.result_key = answer.result_key
    JOIN ops.run q ON q.run_key = answer.run_key
    JOIN ops.instrument i ON i.id = q.instrument_id
    WHERE answer.scene_id = CAST(:scene_id AS uuid)
"""
_SUCCESSES = "AND r.status IN ('succeeded', 'ruined')"
_PROGRESS = text("""
    SELECT s.scene_id::text AS scene_id, s.status, s.runs, s.skipped, s.planned_at,
           s.finished_at, s.cancelled_at, counted.cached,
           counted.answers + gone.answers - unrun.cancelled - gone.cancelled
           + coalesce((SELECT t.done FROM ops.training t WHERE t.scene_id = s.scene_id), 0)
               AS recorded,
           unrun.cancelled + gone.cancelled AS cancelled
    FROM ops.scene s CROSS JOIN LATERAL ops.pruned_answers(s.scene_id) AS gone
    CROSS JOIN LATERAL (
        SELECT count(*) AS answers, count(*) FILTER (WHERE cached) AS cached
        FROM ops.scene_run a WHERE a.scene_id = s.scene_id
    ) AS counted CROSS JOIN LATERAL (
        SELECT CASE WHEN s.cancelled_at IS NULL THEN 0 ELSE (
            -- a lookup for each answer: a join was planned as a scan of all results for each
            SELECT count(*) FILTER (WHERE (
                SELECT r.status FROM ops.result r WHERE r.result_key = a.result_key) = 'cancelled')
            FROM ops.scene_run a WHERE a.scene_id = s.scene_id
        ) END AS cancelled
    ) AS unrun
    WHERE s.scene_id = ANY(CAST(:scene_ids AS uuid[])) ORDER BY s.received_at, s.scene_id
""")


@dataclass(frozen=True, slots=True)
class SceneProgress:
    """The progress of a scene.

    runs: answers expected; recorded: runs whose answer is stored, of which `cached` were before;
        of a training its fits, and those that are done
    cancelled: runs that are stored as not executed, because the scene was cancelled
    """

    scene_id: str
    status: str
    runs: int
    skipped: int
    planned_at: datetime | None
    finished_at: datetime | None
    cancelled_at: datetime | None
    recorded: int
    cached: int
    cancelled: int


class Best(NamedTuple):
    """The best results of a scene, as documents."""

    overall: dict[str, Any] | None
    by_instrument: dict[str, dict[str, Any]]


def find(
    connection: Connection,
    runs: Sequence[Run],
    provenances: Mapping[str, Provenance],
    scene_id: str | UUID,
) -> dict[str, bytes]:
    """Return the valid stored result of each run that has one, by run_key.

    A result is valid if its status may be reused, its strategy, engine and metrics are today's,
    and no later revision touches the candles that it rests on. Only this function decides it. If
    several results are valid, the newest counts.
    provenances: strategy name → what would be used today; the revision in it is ignored
    returns: complete result documents in JSON, with `cached` and the asking scene's id
    """
    wanted = [(str(scene_id), run) for run in runs]
    rows = connection.execute(_FIND, question(wanted, provenances))
    return {run_key: document.encode() for _, run_key, document in rows}


def count(
    connection: Connection,
    runs: Sequence[Run],
    provenances: Mapping[str, Provenance],
    *,
    seen_by: int | None,
) -> int:
    """Count the runs that `find` finds.

    seen_by: only those whose result a scene has that this user may see; None counts all
    """
    nobody = "00000000-0000-0000-0000-000000000000"  # an answer is addressed to a scene
    values = question([(nobody, run) for run in runs], provenances)
    if seen_by is None:
        return int(connection.scalar(_COUNT, values) or 0)
    return int(connection.scalar(_COUNT_SEEN, {**values, "caller_id": seen_by}) or 0)


def progress(connection: Connection, scene_ids: Iterable[str | UUID]) -> list[SceneProgress]:
    """Return the progress of some scenes, counted in the tables. Unknown ids are left out."""
    with by_key(connection):
        rows = connection.execute(_PROGRESS, {"scene_ids": [str(one) for one in scene_ids]})
        return [SceneProgress(**row) for row in rows.mappings()]


# Nearly all succeed: the others have an index, which spares a look at every result of the scene.
_STATUSES = text("""
    WITH others AS (
        SELECT r.status, count(*) AS runs FROM ops.scene_run a
        JOIN ops.result r ON r.result_key = a.result_key AND r.status <> 'succeeded'
        WHERE a.scene_id = :scene_id GROUP BY r.status
    ), every AS (
        SELECT status, runs FROM others UNION ALL
        SELECT 'succeeded', (SELECT count(*) FROM ops.scene_run WHERE scene_id = :scene_id)
               - coalesce((SELECT sum(runs) FROM others), 0)
    )
    SELECT status, runs FROM every WHERE runs > 0 ORDER BY runs DESC, status
""")


def statuses(connection: Connection, scene_id: str | UUID) -> dict[str, int]:
    """Count a scene's runs by the status they ended with, the most frequent status first."""
    rows = connection.execute(_STATUSES, {"scene_id": str(scene_id)})
    return {str(status): int(count) for status, count in rows}


_FAILURES = text("""
    SELECT count(*), r.error_class, r.error_sentence, r.error_file, r.error_line
    FROM ops.scene_run a JOIN ops.result r USING (result_key)
    WHERE a.scene_id = :scene_id AND r.error_class IS NOT NULL
      AND r.status NOT IN ('succeeded', 'ruined') AND r.status <> 'cancelled'
    GROUP BY 2, 3, 4, 5 ORDER BY 1 DESC, 2, 3 LIMIT :most
""")


def failures(connection: Connection, scene_id: str | UUID, most: int) -> list[Failure]:
    """Return why a scene's runs failed, the most frequent reason first."""
    rows = connection.execute(_FAILURES, {"scene_id": str(scene_id), "most": most})
    return [Failure(*row) for row in rows]


def of_scene(
    connection: Connection,
    scene_id: str | UUID,
    *,
    order_by: str | Ranking | None = None,
    limit: int | None = None,
    run_key: str | None = None,
) -> list[dict[str, Any]]:
    """Return the answers that a scene has, as documents; by run_key, or best first by a metric.

    run_key: only the answer to this run
    """
    order = best_first(order_by) if order_by else "r.run_key"
    only = "" if run_key is None else "AND answer.run_key = :run_key"
    statement = text(document_sql(f"{_ANSWERS} {only} ORDER BY {order} LIMIT :limit"))
    values = {"scene_id": str(scene_id), "limit": limit}
    if run_key is not None:
        values["run_key"] = run_key
    return read_documents(connection, statement, values)


def ranked_keys(
    connection: Connection, scene_id: str | UUID, by: str | Ranking, most: int | None = None
) -> list[str]:
    """Return the run_keys that a scene has answers for, best first by a metric; at most `most`."""
    statement = f"""
        SELECT r.run_key FROM ops.scene_run answer JOIN ops.result r USING (result_key)
        WHERE answer.scene_id = CAST(:scene_id AS uuid) ORDER BY {best_first(by)} LIMIT :most
    """  # noqa: S608  made of constants, and of a metric's name that was checked
    return list(connection.scalars(text(statement), {"scene_id": str(scene_id), "most": most}))


def best_value(connection: Connection, scene_id: str | UUID, by: str | Ranking) -> float | None:
    """Return the best value of a metric among a scene's answers so far."""
    order, metric = best_first(by), ranking(by).metric
    statement = f"""
        SELECT r.{metric} FROM ops.scene_run answer JOIN ops.result r USING (result_key)
        WHERE answer.scene_id = CAST(:scene_id AS uuid) {_SUCCESSES} ORDER BY {order} LIMIT 1
    """  # noqa: S608  made of constants, and of a metric's name that was checked
    return connection.scalar(text(statement), {"scene_id": str(scene_id)})


def best_of(connection: Connection, scene_id: str | UUID, rank_by: str | Ranking) -> Best:
    """Return a scene's best result, overall and per instrument: mela.result.rank's first.

    Only results that succeeded or were ruined count.
    """
    order = best_first(rank_by)
    winners = f"""(
        SELECT DISTINCT ON (q.instrument_id) answer.scene_id, answer.cached, r.result_key
        FROM {_ANSWERS} {_SUCCESSES} ORDER BY q.instrument_id, {order}
    ) AS answer
    JOIN ops.result r ON r.result_key = answer.result_key
    JOIN ops.run q ON q.run_key = r.run_key
    JOIN ops.instrument i ON i.id = q.instrument_id
    ORDER BY {order}"""  # noqa: S608  made of constants, and of a metric's name that was checked
    found = read_documents(connection, text(document_sql(winners)), {"scene_id": str(scene_id)})
    by_instrument = {document["instruments"][0]: document for document in found}
    return Best(found[0] if found else None, dict(sorted(by_instrument.items())))


def read_documents(
    connection: Connection, statement: TextClause, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the documents of a statement that `document_sql` made."""
    rows = connection.execute(statement, values)
    return [orjson.loads(document) for _, _, document in rows]

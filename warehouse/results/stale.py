"""Find stored results that no longer hold, the reasons, and the scenes to publish again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import Connection, text

from mela.result import Provenance
from warehouse.results.validity import (
    REUSABLE,
    SAME_CANDLES,
    SAME_ENGINE,
    SAME_METRICS,
    SAME_STRATEGY,
    SPOILT_BY_ONE,
    SPOILT_BY_ONE_OF_SEVERAL,
    TODAY,
    VALID,
    made_with_today,
)

Reason = Literal["candles", "strategy", "strategy_gone", "engine", "metrics"]
_REASONS = f"""
               array_remove(ARRAY[
                   CASE WHEN NOT {SAME_CANDLES} THEN 'candles' END,
                   CASE WHEN today.strategy IS NULL THEN 'strategy_gone'
                        WHEN NOT {SAME_STRATEGY} THEN 'strategy' END,
                   CASE WHEN NOT {SAME_ENGINE} THEN 'engine' END,
                   CASE WHEN NOT {SAME_METRICS} THEN 'metrics' END], NULL)
"""
_STALE = text(f"""
    WITH today AS MATERIALIZED (SELECT * FROM {TODAY})
    SELECT * FROM (
        SELECT stored.result_key, stored.run_key, stored.status, stored.computed_at,
               coalesce(stored.revisions, ARRAY[stored.candles_revision]) AS revisions,
               stored.strategy_digest, stored.engine_version,
               stored.metrics_version, q.interval, q.strategy, q.start_at, q.end_at,
               i.venue || ':' || i.symbol AS instrument,
               {_REASONS} AS reasons,
               greatest((SELECT max(revision) FROM ({SPOILT_BY_ONE}) AS one),
                        CASE WHEN stored.revisions IS NOT NULL THEN (
                            SELECT max(revision) FROM ({SPOILT_BY_ONE_OF_SEVERAL}) AS one)
                        END) AS spoilt_by,
               row_number() OVER (PARTITION BY stored.run_key
                   ORDER BY stored.computed_at DESC, stored.result_key) AS newest
        FROM ops.result stored
        JOIN ops.run q ON q.run_key = stored.run_key
        JOIN ops.instrument i ON i.id = q.instrument_id
        LEFT JOIN today ON today.strategy = q.strategy
        WHERE {REUSABLE} AND (CAST(:scene_id AS uuid) IS NULL OR stored.run_key IN (
            SELECT run_key FROM ops.scene_run WHERE scene_id = CAST(:scene_id AS uuid)))
    ) AS judged
    WHERE cardinality(reasons) > 0 AND newest = 1 AND NOT EXISTS (
        SELECT FROM ops.result stored JOIN ops.run q ON q.run_key = stored.run_key
        JOIN today ON today.strategy = q.strategy
        WHERE stored.run_key = judged.run_key AND {VALID})
    ORDER BY instrument, interval, strategy, run_key
""")  # noqa: S608  made of constants
_WHY = text(f"""
    WITH today AS MATERIALIZED (SELECT * FROM {TODAY})
    SELECT {_REASONS} AS reasons
    FROM ops.result stored JOIN ops.run q ON q.run_key = stored.run_key
    LEFT JOIN today ON today.strategy = q.strategy
    WHERE stored.result_key = :result_key AND {REUSABLE}
""")  # noqa: S608  made of constants
_HOLDERS = text("""
    SELECT s.scene_id, s.name, s.status, s.content, s.user_id, a.result_key
    FROM ops.scene_run a JOIN ops.scene s ON s.scene_id = a.scene_id
    WHERE a.result_key = ANY(:keys)
      AND (CAST(:scene_id AS uuid) IS NULL OR s.scene_id = CAST(:scene_id AS uuid))
    ORDER BY s.received_at, s.scene_id, a.result_key
""")


@dataclass(frozen=True, slots=True)
class StaleResult:
    """A stored result that is not valid and that no valid one has replaced.

    instrument: the first of its account; reasons: everything that changed since
    revisions: one of each series that it read, in order
    spoilt_by: the newest revision that touches the candles it read, or None
    """

    result_key: str
    run_key: str
    instrument: str
    interval: str
    strategy: str
    start: datetime
    end: datetime
    computed_at: datetime
    revisions: tuple[int, ...]
    reasons: tuple[Reason, ...]
    spoilt_by: int | None


@dataclass(frozen=True, slots=True)
class StaleScene:
    """A scene that answers with stale results.

    rerun_id: the id under which to publish it again. The same results and reasons always give
        the same id, so publishing twice counts once.
    """

    scene_id: UUID
    name: str | None
    status: str
    content: Mapping[str, Any]
    user_id: int | None
    results: tuple[StaleResult, ...]
    rerun_id: UUID

    @property
    def can_rerun(self) -> bool:
        """Tell whether the scene has ended and its strategies are still there."""
        gone = any("strategy_gone" in one.reasons for one in self.results)
        return self.status == "finished" and not gone


def stale_results(
    connection: Connection,
    provenances: Mapping[str, Provenance],
    *,
    scene_id: str | UUID | None = None,
) -> list[StaleResult]:
    """Return the newest result of each run that has results but no valid one.

    provenances: strategy name → what would be used today, as `finder.find` takes it. Both
        functions share one predicate (`validity`): a run is listed here exactly if a reusable
        result of it is stored and `find` returns none.
    scene_id: restrict the search to the runs of one scene
    """
    values = made_with_today(provenances) | {"scene_id": scene_id and str(scene_id)}
    return [
        StaleResult(
            result_key=row.result_key,
            run_key=row.run_key,
            instrument=row.instrument,
            interval=row.interval,
            strategy=row.strategy,
            start=row.start_at,
            end=row.end_at,
            computed_at=row.computed_at,
            revisions=tuple(row.revisions),
            reasons=tuple(row.reasons),
            spoilt_by=row.spoilt_by,
        )
        for row in connection.execute(_STALE, values)
    ]


def reasons_of(
    connection: Connection, provenances: Mapping[str, Provenance], result_key: str
) -> list[Reason]:
    """Return why a result no longer holds; nothing for one that does, or that was never reused.

    provenances: strategy name → what would be used today
    """
    values = made_with_today(provenances) | {"result_key": result_key}
    return list(connection.scalar(_WHY, values) or ())


def stale_scenes(
    connection: Connection,
    results: Iterable[StaleResult],
    provenances: Mapping[str, Provenance],
    *,
    scene_id: str | UUID | None = None,
) -> list[StaleScene]:
    """Return the scenes whose answers are among some stale results, oldest first."""
    by_key = {one.result_key: one for one in results}
    parameters = {"keys": list(by_key), "scene_id": scene_id and str(scene_id)}
    held: dict[UUID, list[Any]] = {}
    for row in connection.execute(_HOLDERS, parameters):
        held.setdefault(row.scene_id, []).append(row)
    scenes: list[StaleScene] = []
    for number, rows in held.items():
        stale = tuple(by_key[row.result_key] for row in rows)
        first = rows[0]
        rerun_id = _rerun_id(number, stale, provenances)
        scenes.append(
            StaleScene(
                *(number, first.name, first.status, first.content, first.user_id),
                *(stale, rerun_id),
            )
        )
    return scenes


def _rerun_id(
    scene_id: UUID, stale: Iterable[StaleResult], provenances: Mapping[str, Provenance]
) -> UUID:
    parts = [f"mela:rerun:{scene_id}"]
    for one in sorted(stale, key=lambda result: result.result_key):
        today = provenances.get(one.strategy)
        parts.append(f"{one.result_key} {one.spoilt_by} {today and today[:3]}")
    return uuid5(NAMESPACE_URL, "\n".join(parts))

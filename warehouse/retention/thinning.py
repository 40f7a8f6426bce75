"""Thin the results of old scenes and their curves, a bounded transaction at a time.

The rules: a scene that ended more than `scene_days` ago keeps the results of its best `keep_best`
runs; trades and equity go after `curve_days`. Nothing goes that a younger or unfinished scene has,
or one that is pinned, opened a holdout, or is where a schedule counts from, nor what is among the
best of another scene. Trials are counted as before: `ops.prune_results` writes what statistics need
of a result in the transaction that removes it.

A pass that was killed has removed whole batches, and the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.errors import LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from mela.errors import StackFailed
from mela.settings import PruneSettings, Settings
from warehouse.database import transaction
from warehouse.results.documents import best_first
from warehouse.scenes.stored_scene import ranking_of

CURVES_AT_ONCE = 20  # a curve may have a value for each minute of a year
TRIES = 6  # of a batch, while savers hold the lock for 5 s each time

_SCENES = text("""
    SELECT s.scene_id::text, s.content FROM ops.scene s JOIN (
        SELECT scene_id FROM ops.scene_run GROUP BY scene_id HAVING count(*) > :keep
    ) AS large ON large.scene_id = s.scene_id
    WHERE ops.may_thin(s.scene_id, :days) ORDER BY s.received_at, s.scene_id
""")
_CONTENT = text("SELECT content FROM ops.scene WHERE scene_id = CAST(:scene_id AS uuid)")
_SHARED = text("""
    SELECT result_key, scene_id::text FROM ops.scene_run
    WHERE result_key = ANY(:keys) AND scene_id <> CAST(:scene_id AS uuid)
""")
_MEASURED = text("""
    WITH gone AS MATERIALIZED (
        SELECT r.* FROM ops.result r
        WHERE r.result_key = ANY(:keys) AND ops.may_prune(r.result_key, :days)
          AND NOT EXISTS (SELECT FROM ops.holdout h WHERE h.run_key = r.run_key)
    ), idle AS (
        SELECT q.* FROM ops.run q WHERE q.run_key IN (SELECT run_key FROM gone)
          AND NOT EXISTS (SELECT FROM ops.result r WHERE r.run_key = q.run_key
                          AND r.result_key NOT IN (SELECT result_key FROM gone))
    )
    SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM idle),
           coalesce((SELECT sum(pg_column_size(r.*)) FROM ops.result r
                     WHERE r.result_key IN (SELECT result_key FROM gone)), 0)
           + coalesce((SELECT sum(pg_column_size(idle.*)) FROM idle), 0)
           + coalesce((SELECT sum(pg_column_size(a.*)) FROM ops.scene_run a
                       WHERE a.result_key IN (SELECT result_key FROM gone)), 0)
""")
_CURVES = text("""
    WITH stored AS MATERIALIZED (
        SELECT r.result_key FROM ops.result r
        WHERE EXISTS (SELECT FROM ops.equity e WHERE e.result_key = r.result_key)
           OR EXISTS (SELECT FROM ops.trade t WHERE t.result_key = r.result_key)
    )
    SELECT result_key FROM stored WHERE ops.may_prune(result_key, :days) ORDER BY result_key
""")
_CURVE_BYTES = text("SELECT ops.curve_bytes(CAST(:keys AS text[]))")
_BEGIN = text("SELECT ops.begin_prune(:scene_days, :keep_best, :curve_days)")
_END = text("SELECT ops.end_prune(:id)")
_PRUNE_RESULTS = text("SELECT * FROM ops.prune_results(:id, CAST(:keys AS text[]))")
_PRUNE_CURVES = text("SELECT * FROM ops.prune_curves(:id, CAST(:keys AS text[]))")


@dataclass(frozen=True, slots=True)
class Thinned:
    """The rows that were removed, or would be. Bytes are those of rows, without indexes.

    runs: what nobody has an answer for any more; curves: results that lost trades and equity
    """

    results: int = 0
    runs: int = 0
    result_bytes: int = 0
    curves: int = 0
    curve_bytes: int = 0

    def __add__(self, other: Thinned) -> Thinned:
        return Thinned(
            self.results + other.results,
            self.runs + other.runs,
            self.result_bytes + other.result_bytes,
            self.curves + other.curves,
            self.curve_bytes + other.curve_bytes,
        )


def measure(settings: Settings) -> Thinned:
    """Return what `thin` would remove now. Changes nothing."""
    rules, total = settings.prune, Thinned()
    with transaction(settings) as connection:
        for keys in _curves(connection, rules):
            size = connection.scalar(_CURVE_BYTES, {"keys": keys})
            total += Thinned(curves=len(keys), curve_bytes=int(size or 0))
    for keys in _results(settings):
        with transaction(settings) as connection:
            values = {"keys": keys, "days": rules.scene_days}
            results, runs, size = connection.execute(_MEASURED, values).one()
        total += Thinned(results, runs, int(size))
    return total


def thin(settings: Settings, *, after_batch: Callable[[Thinned], None] | None = None) -> Thinned:
    """Remove what the rules no longer keep. May run beside the job, and again after a kill.

    after_batch: is told what went so far, after each transaction
    Raises StackFailed where savers leave no moment for it.
    """
    rules, total = settings.prune, Thinned()
    with transaction(settings) as connection:
        asked = rules.model_dump(include={"scene_days", "keep_best", "curve_days"})
        number = connection.scalar(_BEGIN, asked)
        curves = list(_curves(connection, rules))
    # curves first, so that what goes with a result is counted where `measure` counts it
    for keys in curves:
        count, size = _call(settings, _PRUNE_CURVES, {"id": number, "keys": keys})
        total += Thinned(curves=count, curve_bytes=size)
        if after_batch is not None:
            after_batch(total)
    for keys in _results(settings):
        results, runs, size = _call(settings, _PRUNE_RESULTS, {"id": number, "keys": keys})
        total += Thinned(results, runs, size)
        if after_batch is not None:
            after_batch(total)
    with transaction(settings) as connection:
        connection.execute(_END, {"id": number})
    return total


def _call(settings: Settings, statement: Any, values: dict[str, Any]) -> list[int]:
    for _ in range(TRIES):
        try:
            with transaction(settings) as connection:
                return [int(one) for one in connection.execute(statement, values).one()]
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise
    raise StackFailed(
        f"expected a moment in which nobody stores answers, but found none in {TRIES} tries of "
        "5 s. What was removed stays removed; run `mela prune` again when less is computed."
    )


def _curves(connection: Connection, rules: PruneSettings) -> Iterator[list[str]]:
    keys = list(connection.scalars(_CURVES, {"days": rules.curve_days}))
    return (keys[at : at + CURVES_AT_ONCE] for at in range(0, len(keys), CURVES_AT_ONCE))


def _results(settings: Settings) -> Iterator[list[str]]:
    """Yield batches of results that are not among the best of any scene that has them."""
    rules = settings.prune
    with transaction(settings) as connection:
        scenes = connection.execute(_SCENES, {"keep": rules.keep_best, "days": rules.scene_days})
        large = [(scene_id, content) for scene_id, content in scenes]
    best: dict[str, frozenset[str]] = {}  # of scenes that share results with those
    done: set[str] = set()  # shared results that came with another scene
    for scene_id, content in large:
        with transaction(settings) as connection:
            ranked = _ranked(connection, scene_id, content)
        surplus = ranked[rules.keep_best :]
        for at in range(0, len(surplus), rules.batch):
            keys = surplus[at : at + rules.batch]
            with transaction(settings) as connection:
                shared = _shared(connection, scene_id, keys, best, rules.keep_best)
            batch = [key for key in keys if key not in done and not shared.get(key)]
            done |= shared.keys()
            if batch:
                yield batch


def _shared(
    connection: Connection,
    scene_id: str,
    keys: Sequence[str],
    best: dict[str, frozenset[str]],
    keep: int,
) -> dict[str, bool]:
    """Return those of a scene's results that others have: whether it is among the best of one."""
    found: dict[str, bool] = {}
    for key, other in connection.execute(_SHARED, {"keys": list(keys), "scene_id": scene_id}):
        if other not in best:
            content = connection.scalar(_CONTENT, {"scene_id": other})
            best[other] = frozenset(_ranked(connection, other, content, keep))
        found[key] = found.get(key, False) or key in best[other]
    return found


def _ranked(
    connection: Connection, scene_id: str, content: Any, most: int | None = None
) -> list[str]:
    """Return the keys of a scene's results, best first."""
    by = ranking_of(content if isinstance(content, dict) else {})
    statement = f"""
        SELECT r.result_key FROM ops.scene_run answer
        JOIN ops.result r ON r.result_key = answer.result_key
        WHERE answer.scene_id = CAST(:scene_id AS uuid) ORDER BY {best_first(by)} LIMIT :most
    """  # noqa: S608  made of constants, and of a metric's name that was checked
    return list(connection.scalars(text(statement), {"scene_id": scene_id, "most": most}))

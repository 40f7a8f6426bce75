"""The runs of a scene as the application reads them: pages by a metric, a map, the whole as rows.

A page is found by a key: the place of the last row in the order. Nothing reads all runs of a scene
into Python, but the rows of a file, which come through a cursor of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, text

from mela.metrics import LOWER_IS_BETTER, METRICS, Ranking
from mela.run_terms import VARIABLE
from warehouse.results.run_paths import (
    PARAMS,
    Condition,
    inside,
    needs_question,
    term_default,
    value_sql,
    where_sql,
)

Scalar = float | str | bool | None
Order = Literal["asc", "desc", "best"]
Reduce = Literal["max", "mean", "median"]

RANGES = 24  # into which numbers of an axis are gathered
_ROOM = text("SET LOCAL work_mem = '32MB'")  # to sort the runs of a large scene without a file

_FROM = """
    FROM ops.scene_run answer JOIN ops.result r ON r.result_key = answer.result_key
"""
_QUESTION = """
    JOIN ops.run q ON q.run_key = r.run_key JOIN ops.instrument i ON i.id = q.instrument_id
"""
_INSTRUMENTS = """
    CASE WHEN q.settings->'portfolio' IS NULL THEN ARRAY[i.venue || ':' || i.symbol]
    ELSE ARRAY(SELECT member.name FROM (
        SELECT i.venue || ':' || i.symbol AS name, 0 AS place UNION ALL
        SELECT other.venue || ':' || other.symbol, more.place FROM ops.run_instrument more
        JOIN ops.instrument other ON other.id = more.instrument_id
        WHERE more.run_key = q.run_key) AS member ORDER BY member.place) END
"""
_METRICS = ", ".join(f"r.{name}" for name in METRICS)


@dataclass(frozen=True, slots=True)
class RunRead:
    """A run of a scene with its answer. metrics: in the order of METRICS.

    key: its place in the order that was asked for
    """

    run_key: str
    result_key: str
    instruments: list[str]
    interval: str
    start: str
    end: str
    strategy: str
    params: Mapping[str, Any]
    settings: Mapping[str, Any]
    status: str
    cached: bool
    has_curve: bool
    warnings: list[str]
    error: str | None
    metrics: tuple[float | None, ...]
    key: tuple[int, int, float | None, str]


@dataclass(frozen=True, slots=True)
class Cell:
    """A place of a map: what lies there, folded.

    x_ends, y_ends: of numbers that were gathered into a range, the least and the greatest that
    runs of the place have; None where they were not
    """

    x: Any
    y: Any
    value: float | None
    runs: int
    x_ends: tuple[float, float] | None
    y_ends: tuple[float, float] | None


def page(
    connection: Connection,
    scene_id: UUID,
    *,
    sort: Ranking,
    order: Order,
    conditions: Sequence[Condition] = (),
    most: int,
    after: tuple[int, int, float | None, str] | None = None,
    among: Sequence[str] | None = None,
) -> list[RunRead]:
    """Return runs of a scene in the order of a metric, undefined ones last, ties by run_key.

    sort: a metric and how many trades a run must have to stand with the others; checked here
    among: only these runs; None for all
    after: the key of the last run of the page before
    Raises ValueError for what is no metric, no operator, or no path.
    """
    keys = _order_keys(sort, order)
    connection.execute(_ROOM)
    values: dict[str, Any] = {"scene_id": scene_id, "most": most}
    where = [*where_sql(conditions, values), *_after(keys, after, values)]
    if among is not None:
        where.append("answer.run_key = ANY(CAST(:among AS text[]))")
        values["among"] = list(among)
    is_asked = any(needs_question(one.what) for one in conditions)
    # The page's keys first, from the narrowest rows that tell the order, then the rest of 100 runs
    chosen = f"""
        SELECT r.result_key, answer.cached, {keys.undefined} AS undefined, {keys.few} AS few,
               r.{sort.metric} AS ordered
        {_FROM} {_QUESTION if is_asked else ""}
        WHERE answer.scene_id = :scene_id {"".join(f" AND {one}" for one in where)}
        ORDER BY {keys.text} LIMIT :most
    """
    rows = connection.execute(
        text(f"""
            WITH chosen AS MATERIALIZED ({chosen})
            SELECT {_ROW}, chosen.cached, chosen.undefined, chosen.few, chosen.ordered, {_METRICS}
            FROM chosen JOIN ops.result r ON r.result_key = chosen.result_key {_QUESTION}
            ORDER BY chosen.undefined, chosen.few, chosen.ordered {keys.direction} NULLS LAST,
                     r.run_key
        """),  # noqa: S608  made of constants, and of names that were checked
        values,
    )
    return [_read(row) for row in rows]


def csv_query(
    scene_id: UUID, paths: Sequence[str], conditions: Sequence[Condition] = ()
) -> tuple[str, dict[str, Any]]:
    """Return a query for the runs of a scene as rows of a file, and the values of its parameters.

    paths: a column for each; the columns are named by `csv_names`
    """
    values: dict[str, Any] = {"scene_id": str(scene_id)}
    where = "".join(f" AND {one}" for one in where_sql(conditions, values))
    varied = "".join(
        f", {value_sql(path, values, f'path_{place}')} #>> '{{}}'"
        for place, path in enumerate(paths)
    )
    said = "r.error_class || ': ' || r.error_sentence"
    query = f"""
        SELECT r.run_key, array_to_string({_INSTRUMENTS}, ' '), q.interval,
               ops.instant_text(q.start_at), ops.instant_text(q.end_at), q.strategy {varied},
               r.status, {_METRICS}, array_to_string(r.warnings, ' '),
               -- no spreadsheet shall take an error for a formula
               CASE WHEN {said} ~ '^[=+@-]' THEN '''' || {said} ELSE {said} END
        {_FROM} {_QUESTION} WHERE answer.scene_id = :scene_id {where} ORDER BY r.run_key
    """
    return query, values


def csv_names(paths: Sequence[str]) -> list[str]:
    """Return the names of the columns of `csv_query`."""
    fixed = ("run_key", "instruments", "interval", "start", "end", "strategy")
    return [*fixed, *paths, "status", *METRICS, "warnings", "error"]


def count(connection: Connection, scene_id: UUID, conditions: Sequence[Condition]) -> int:
    """Count the runs of a scene that fulfil conditions."""
    values: dict[str, Any] = {"scene_id": scene_id}
    where = "".join(f" AND {one}" for one in where_sql(conditions, values))
    question = _QUESTION if any(needs_question(one.what) for one in conditions) else ""
    statement = f"""
        SELECT count(*) {_FROM} {question} WHERE answer.scene_id = :scene_id {where}
    """
    return int(connection.scalar(text(statement), values) or 0)


def ranks(
    connection: Connection, scene_id: UUID, by: Ranking, run_keys: Sequence[str]
) -> dict[str, int]:
    """Return the ranks of some runs among all of their scene that have the metric."""
    keys = _order_keys(by, "best")
    statement = f"""
        SELECT run_key, place FROM (
            SELECT r.run_key, row_number() OVER (ORDER BY {keys.text}) AS place
            {_FROM} WHERE answer.scene_id = :scene_id AND r.{by.metric} IS NOT NULL
        ) AS ranked WHERE run_key = ANY(:run_keys)
    """  # noqa: S608  made of constants, and of a metric's name that was checked
    rows = connection.execute(text(statement), {"scene_id": scene_id, "run_keys": list(run_keys)})
    return {row.run_key: int(row.place) for row in rows}


def values_of(connection: Connection, scene_id: UUID, path: str, most: int) -> list[Any]:
    """Return the distinct values that runs of a scene have at a path, at most so many."""
    values: dict[str, Any] = {"scene_id": scene_id, "most": most}
    found = value_sql(path, values, "p")
    statement = f"""
        SELECT DISTINCT {found} AS value {_FROM} {_QUESTION}
        WHERE answer.scene_id = :scene_id ORDER BY 1 LIMIT :most
    """
    return list(connection.scalars(text(statement), values))


def cells(
    connection: Connection,
    scene_id: UUID,
    *,
    x: str,
    y: str | None,
    metric: str,
    reduce: Reduce,
    ranges: Mapping[str, tuple[float, float]],
) -> list[Cell]:
    """Return a metric over one path or two, the runs in each place folded.

    reduce: `max` takes the metric's better end
    ranges: by path, the ends of those axes whose numbers are too many to show one by one
    Raises ValueError for what is no metric.
    """
    _checked(metric)
    connection.execute(_ROOM)
    values: dict[str, Any] = {"scene_id": scene_id}
    across, x_ends = _axis(x, ranges.get(x), values, "x")
    along, y_ends = _axis(y, ranges.get(y), values, "y") if y else ("NULL::jsonb", "NULL::float8[]")
    best = "min" if metric in LOWER_IS_BETTER else "max"
    fold = {
        "max": f"{best}(r.{metric})",
        "mean": f"avg(r.{metric})",
        "median": f"percentile_cont(0.5) WITHIN GROUP (ORDER BY r.{metric})",
    }[reduce]
    statement = f"""
        SELECT {across} AS x, {along} AS y, CAST({fold} AS float8) AS value, count(*) AS runs,
               {x_ends} AS x_ends, {y_ends} AS y_ends
        {_FROM} {_QUESTION} WHERE answer.scene_id = :scene_id GROUP BY 1, 2
    """
    return [
        Cell(*row[:4], *(None if ends is None else tuple(ends) for ends in row[4:]))
        for row in connection.execute(text(statement), values)
    ]


def path_value(path: str, run: RunRead) -> Any:
    """Return what a run has at a path of a space, as `strategy.params.fast` or `exits.stop_loss`.

    A term that a stored run lacks is at its default.
    """
    if path in _OWN:
        return _OWN[path](run)
    if path.startswith(PARAMS):
        return inside(run.params, path.removeprefix(PARAMS).split("."))
    first, *rest = path.split(".")
    if first not in run.settings and first not in VARIABLE:
        return None
    found = run.settings[first] if first in run.settings else term_default(first)
    return inside(found, rest)


_OWN: Mapping[str, Callable[[RunRead], Scalar]] = {
    "strategy.name": lambda run: run.strategy,
    "instrument": lambda run: run.instruments[0],
    "interval": lambda run: run.interval,
    "start": lambda run: run.start,
    "end": lambda run: run.end,
}
# Ordered, so that the index answers: few results have very many values, and a plain EXISTS reads
# the whole table for each run
_ROW = f"""
    r.run_key, r.result_key, {_INSTRUMENTS} AS instruments, q.interval,
    ops.instant_text(q.start_at) AS start, ops.instant_text(q.end_at) AS "end", q.strategy,
    q.params, q.settings, r.status, r.warnings, r.error_class || ': ' || r.error_sentence AS error,
    (SELECT true FROM ops.equity e WHERE e.result_key = r.result_key
     ORDER BY e.opened_at LIMIT 1) IS NOT NULL AS has_curve
"""  # noqa: S608  made of constants


@dataclass(frozen=True, slots=True)
class _Keys:
    undefined: str
    few: str
    value: str
    direction: str

    @property
    def text(self) -> str:
        return f"{self.undefined}, {self.few}, {self.value} {self.direction} NULLS LAST, r.run_key"


def _order_keys(sort: Ranking, order: Order) -> _Keys:
    metric = _checked(sort.metric)
    least = int(sort.min_trades)
    falls = metric not in LOWER_IS_BETTER if order == "best" else order == "desc"
    few = f"(coalesce(r.trades, 0) < {least})::int" if least > 0 else "0::int"
    return _Keys(
        undefined=f"(r.{metric} IS NULL)::int",
        few=few,
        value=f"r.{metric}",
        direction="DESC" if falls else "ASC",
    )


def _after(
    keys: _Keys, after: tuple[int, int, float | None, str] | None, values: dict[str, Any]
) -> list[str]:
    if after is None:
        return []
    undefined, few, value, run_key = after
    values |= {"undefined": undefined, "few": few, "run_key": run_key}
    same = f"{keys.undefined} = :undefined AND {keys.few} = :few"
    further = f"(({keys.undefined}), ({keys.few})) > (:undefined, :few)"
    if value is None:
        return [f"({further} OR ({same} AND r.run_key > :run_key))"]
    values["value"] = value
    beyond = "<" if keys.direction == "DESC" else ">"
    return [
        f"({further} OR ({same} AND ({keys.value} {beyond} :value"
        f" OR ({keys.value} = :value AND r.run_key > :run_key))))"
    ]


def _axis(
    path: str, ends: tuple[float, float] | None, values: dict[str, Any], name: str
) -> tuple[str, str]:
    """Return what SQL groups by, the value at a path or the range of a number, and its ends.

    The ends are numbers that runs have, so that a condition of them finds just these runs.
    """
    found = value_sql(path, values, name)
    if ends is None or ends[1] <= ends[0]:
        return found, "NULL::float8[]"
    low, high = ends
    values |= {f"{name}_low": low, f"{name}_step": (high - low) / RANGES}
    place = f"floor((({found})::float8 - :{name}_low) / :{name}_step)"
    is_number = f"jsonb_typeof({found}) = 'number'"
    number = f"CASE WHEN {is_number} THEN ({found})::float8 END"
    group = (
        f"CASE WHEN {is_number} THEN to_jsonb(CAST(:{name}_low"
        f" + least({place}, {RANGES - 1}) * :{name}_step AS float8)) ELSE {found} END"
    )
    return group, f"nullif(ARRAY[min({number}), max({number})], ARRAY[NULL, NULL]::float8[])"


def _checked(metric: str) -> str:
    if metric not in METRICS:
        raise ValueError(f"expected a metric, but found {metric!r}")
    return metric


def _read(row: Any) -> RunRead:
    fixed, metrics = row[: -len(METRICS)], row[-len(METRICS) :]
    (
        run_key, result_key, instruments, interval, start, end, strategy, params, settings,
        status, warnings, error, has_curve, cached, undefined, few, ordered,
    ) = fixed  # fmt: skip
    return RunRead(
        run_key=run_key,
        result_key=result_key,
        instruments=instruments,
        interval=interval,
        start=start,
        end=end,
        strategy=strategy,
        params=params,
        settings=settings,
        status=status,
        cached=cached,
        has_curve=has_curve,
        warnings=warnings,
        error=error,
        metrics=tuple(metrics),
        key=(undefined, few, ordered, run_key),
    )

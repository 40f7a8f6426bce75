"""The runs of a scene as a caller of the application sees them: pages, files, a map, curves."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from pydantic import TypeAdapter

from backtests.charts.view import telling_points
from mela.errors import InputInvalid
from mela.metrics import METRICS, Ranking
from mela.nearest import did_you_mean
from mela.settings import Settings
from services import scene_pages
from services.accounts import Caller
from services.cursors import cursor_of, place_of
from services.scene_pages import varied_paths
from warehouse.database import transaction
from warehouse.results import curves, scene_runs
from warehouse.results.scene_runs import (
    OPERATORS,
    Cell,
    Condition,
    Order,
    Reduce,
    RunRead,
    path_value,
)
from warehouse.scenes.stored import ranking_of

LOOKED_THROUGH = 200  # of the best runs, for those with a stored curve
_PLACE = TypeAdapter(tuple[int, int, int, float | None, str])  # rows before it, then its key
_NUMBER = TypeAdapter(float)


@dataclass(frozen=True, slots=True)
class RunOfScene:
    """A run of a scene, with its answer.

    params: by path, what varies in the scene; strategy_params: all of the strategy's
    rank: None where it has none, or where it was not asked for
    """

    run_key: str
    rank: int | None
    is_best: bool
    instruments: tuple[str, ...]
    interval: str
    start: str
    end: str
    strategy: str
    params: Mapping[str, Any]
    strategy_params: Mapping[str, Any]
    status: str
    cached: bool
    has_curve: bool
    metrics: Mapping[str, float | None]
    warnings: tuple[str, ...]
    error: str | None


@dataclass(frozen=True, slots=True)
class RunPage:
    """A page of runs. total: those that fulfil the conditions."""

    items: tuple[RunOfScene, ...]
    next_cursor: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A metric over two parameters. values: a row for each of y_values."""

    x: str
    y: str | None
    metric: str
    reduce: Reduce
    x_values: tuple[Any, ...]
    y_values: tuple[Any, ...]
    values: tuple[tuple[float | None, ...], ...]
    runs: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class SceneCurve:
    """The equity of a run at the instants that tell most."""

    run_key: str
    rank: int
    label: str
    params: Mapping[str, Any]
    t: tuple[int, ...]
    equity: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SceneCurves:
    """The equity of the best runs that have a stored curve."""

    rank_by: str
    cash: float
    curves: tuple[SceneCurve, ...]


def list_runs(
    settings: Settings,
    caller: Caller,
    scene_id: UUID,
    *,
    sort: str | None = None,
    order: Order = "best",
    where: Sequence[str] = (),
    limit: int = 100,
    cursor: str | None = None,
) -> RunPage:
    """Return a page of a scene's runs in the order of a metric, undefined ones last.

    where: conditions, as `trades:ge:30`
    Raises NotFound, and InputInvalid for what is no metric, condition or cursor.
    """
    conditions = [_condition(one) for one in where]
    place = place_of(cursor, _PLACE)
    before, after = (place[0], place[1:]) if place else (0, None)
    with transaction(settings) as connection:
        head, content = scene_pages.seen(connection, caller, scene_id)
        by = ranking_of(content)
        metric = _metric(sort or by.metric)
        is_ranked = metric == by.metric and order == "best"
        ranking = Ranking(metric, by.min_trades if is_ranked else 0)
        try:
            rows = scene_runs.page(
                connection,
                scene_id,
                sort=ranking,
                order=order,
                conditions=conditions,
                most=limit + 1,
                after=after,
            )
        except ValueError as error:
            raise InputInvalid("where", f"{error}.") from error
        shown = rows[:limit]
        total = scene_runs.count(connection, scene_id, conditions) if conditions else None
        ranks: Mapping[str, int] = {}
        if is_ranked and not conditions:
            ranks = {
                row.run_key: before + number
                for number, row in enumerate(shown, 1)
                if row.status in ("succeeded", "ruined")
            }
    paths = varied_paths(content)
    best = min(ranks, key=lambda key: ranks[key]) if ranks and before == 0 else None
    items = tuple(_run(row, paths, ranks.get(row.run_key), row.run_key == best) for row in shown)
    following = None
    if len(rows) > limit:
        following = cursor_of((before + limit, *shown[-1].key), _PLACE)
    return RunPage(items, following, head.runs if total is None else total)


def all_runs_csv(
    settings: Settings, caller: Caller, scene_id: UUID, where: Sequence[str] = ()
) -> Iterator[str]:
    """Return the runs of a scene as lines of CSV, as they come. Raises NotFound, InputInvalid."""
    conditions = [_condition(one) for one in where]
    with transaction(settings) as connection:
        _, content = scene_pages.seen(connection, caller, scene_id)
        try:
            scene_runs.count(connection, scene_id, conditions)
        except ValueError as error:
            raise InputInvalid("where", f"{error}.") from error
    return _csv_lines(settings, scene_id, varied_paths(content), conditions)


def heat_map(
    settings: Settings,
    caller: Caller,
    scene_id: UUID,
    *,
    x: str,
    y: str | None,
    metric: str | None,
    reduce: Reduce,
) -> HeatMap:
    """Return a metric over one or two parameters of a scene. Raises NotFound, InputInvalid."""
    with transaction(settings) as connection:
        _, content = scene_pages.seen(connection, caller, scene_id)
        chosen = _metric(metric or ranking_of(content).metric)
        try:
            found = scene_runs.cells(connection, scene_id, x=x, y=y, metric=chosen, reduce=reduce)
        except ValueError as error:
            raise InputInvalid("x", f"{error}.") from error
    return _laid_out(found, x, y, chosen, reduce)


def best_curves(
    settings: Settings, caller: Caller, scene_id: UUID, *, most: int, points: int
) -> SceneCurves:
    """Return the equity of the best runs whose curve is stored. Raises NotFound."""
    with transaction(settings) as connection:
        _, content = scene_pages.seen(connection, caller, scene_id)
        by = ranking_of(content)
        rows = scene_runs.page(connection, scene_id, sort=by, order="best", most=LOOKED_THROUGH)
        ranked = [(rank, row) for rank, row in enumerate(rows, 1) if row.has_curve][:most]
        paths = varied_paths(content)
        found: list[SceneCurve] = []
        for rank, row in ranked:
            opened, equity = curves.equity(connection, row.result_key)
            chosen = telling_points([equity], points // 2)
            params = {path: path_value(path, row) for path in paths}
            found.append(
                SceneCurve(
                    row.run_key,
                    rank,
                    label_of(params) or row.strategy,
                    params,
                    tuple(opened[chosen].tolist()),
                    tuple(equity[chosen].tolist()),
                )
            )
    return SceneCurves(by.metric, float(content.get("cash", 10_000.0)), tuple(found))


def label_of(params: Mapping[str, Any]) -> str:
    """Return what tells a run from others of its scene, in a few words.

    >>> label_of({"strategy.params.fast": 5.0, "exits.stop_loss": None})
    'fast=5, stop_loss=none'
    """
    return ", ".join(f"{path.rpartition('.')[2]}={_spelled(v)}" for path, v in params.items())


def _spelled(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _run(row: RunRead, paths: Sequence[str], rank: int | None, is_best: bool) -> RunOfScene:
    return RunOfScene(
        run_key=row.run_key,
        rank=rank,
        is_best=is_best,
        instruments=tuple(row.instruments),
        interval=row.interval,
        start=row.start,
        end=row.end,
        strategy=row.strategy,
        params={path: path_value(path, row) for path in paths},
        strategy_params=row.params,
        status=row.status,
        cached=row.cached,
        has_curve=row.has_curve,
        metrics=dict(zip(METRICS, row.metrics, strict=True)),
        warnings=tuple(row.warnings),
        error=row.error,
    )


def _csv_lines(
    settings: Settings, scene_id: UUID, paths: Sequence[str], conditions: Sequence[Condition]
) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line)

    def written(*values: Any) -> str:
        line.seek(0)
        line.truncate()
        writer.writerow(values)
        return line.getvalue()

    fixed = ("run_key", "instruments", "interval", "start", "end", "strategy")
    others = [path for path in paths if path not in ("instrument", "start", "strategy.name")]
    yield written(*fixed, *others, "status", *METRICS, "warnings", "error")
    with transaction(settings) as connection:
        for row in scene_runs.every(connection, scene_id, conditions):
            yield written(
                row.run_key,
                " ".join(row.instruments),
                row.interval,
                row.start,
                row.end,
                row.strategy,
                *(path_value(path, row) for path in others),
                row.status,
                *row.metrics,
                " ".join(row.warnings),
                guarded(row.error),
            )


def guarded(words: str | None) -> str | None:
    """Return a text that no spreadsheet takes for a formula.

    >>> guarded("=1+1")
    "'=1+1"
    """
    return f"'{words}" if words and words[0] in "=+-@\t\r" else words


def _laid_out(found: Sequence[Cell], x: str, y: str | None, metric: str, reduce: Reduce) -> HeatMap:
    x_values, y_values = _in_order(one.x for one in found), _in_order(one.y for one in found)
    at = {(_hashable(one.x), _hashable(one.y)): one for one in found}
    cells = [[at.get((_hashable(a), _hashable(b))) for a in x_values] for b in y_values]
    return HeatMap(
        x=x,
        y=y,
        metric=metric,
        reduce=reduce,
        x_values=tuple(x_values),
        y_values=tuple(y_values) if y else (),
        values=tuple(tuple(_finite(one and one.value) for one in row) for row in cells),
        runs=tuple(tuple(one.runs if one else 0 for one in row) for row in cells),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _in_order(values: Iterator[Any]) -> list[Any]:
    """Return distinct values: nothing first, then numbers, then words."""
    distinct = {_hashable(value): value for value in values}
    return sorted(
        distinct.values(),
        key=lambda value: (
            value is not None,
            isinstance(value, str),
            value if isinstance(value, int | float) else 0,
            str(value),
        ),
    )


def _hashable(value: Any) -> Any:
    return (type(value) is bool, value) if isinstance(value, int | float | str) else str(value)


def _metric(name: str) -> str:
    if name not in METRICS:
        raise InputInvalid(
            "metric", f"{name!r} is no metric{did_you_mean(name, METRICS) or '.'}".rstrip()
        )
    return name


def _condition(words: str) -> Condition:
    what, _, rest = words.partition(":")
    operator, colon, value = rest.partition(":")
    if not what or operator not in OPERATORS or not colon:
        raise InputInvalid(
            "where",
            f"expected `metric:op:value`, op one of {', '.join(OPERATORS)}, as `trades:ge:30`, "
            f"but found {words!r}.",
        )
    if what in METRICS:
        return Condition(what, operator, _number(what, value))
    if what in ("status", "instrument", "strategy.name", "interval"):
        return Condition(what, operator, value)
    return Condition(what, operator, _plain(value))


def _number(what: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError as error:
        raise InputInvalid(
            "where", f"expected a number for {what}, but found {value!r}."
        ) from error
    if not np.isfinite(number):
        raise InputInvalid("where", f"expected a finite number for {what}, but found {value!r}.")
    return number


def _plain(value: str) -> float | str | bool:
    if value in ("true", "false"):
        return value == "true"
    try:
        number = float(value)
    except ValueError:
        return value
    return number if np.isfinite(number) else value

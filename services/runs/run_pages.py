"""The runs of a scene as a caller of the application sees them: pages, files, a map, curves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Connection

from backtests.charts.view import telling_points
from mela.errors import InputInvalid
from mela.metrics import METRICS, Ranking
from mela.settings import Settings
from services.accounts.accounts import Caller
from services.answer_cache import KeptAnswers
from services.cursors import cursor_of, place_of
from services.runs.run_conditions import condition_of, metric_of
from services.scenes import scene_pages
from services.scenes.scene_facts import has_ended
from services.scenes.scene_pages import varied_paths
from warehouse.database import transaction
from warehouse.results import curves, scene_runs
from warehouse.results.run_paths import Condition
from warehouse.results.scene_runs import Order, RunRead, path_value
from warehouse.rows_as_csv import rows_as_csv
from warehouse.scenes import pages
from warehouse.scenes.pages import SceneHead
from warehouse.scenes.stored_scene import ranking_of

KEPT_S = 60.0
FIXED = ("instrument", "start", "end", "interval", "strategy.name")  # columns of every file
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
    conditions = tuple(condition_of(one) for one in where)
    place = place_of(cursor, _PLACE)
    with transaction(settings) as connection:
        head, content = scene_pages.seen(connection, caller, scene_id)
    by = ranking_of(content)
    metric = metric_of(sort or by.metric)
    asked = _Asked(scene_id, content, by, metric, order, conditions, limit, place)
    key = (scene_id, head.finished_at, metric, order, conditions, limit, place)
    return _pages.of(key if has_ended(head) else None, lambda: _page(settings, head, asked))


class _Asked(NamedTuple):
    scene_id: UUID
    content: Mapping[str, Any]
    by: Ranking
    metric: str
    order: Order
    conditions: tuple[Condition, ...]
    limit: int
    place: tuple[int, int, int, float | None, str] | None


def _page(settings: Settings, head: SceneHead, asked: _Asked) -> RunPage:
    before, after = (asked.place[0], asked.place[1:]) if asked.place else (0, None)
    is_ranked = asked.metric == asked.by.metric and asked.order == "best"
    ranking = Ranking(asked.metric, asked.by.min_trades if is_ranked else 0)
    with transaction(settings) as connection:
        try:
            rows = _noted(connection, asked, ranking) if is_ranked and has_ended(head) else None
            if rows is None:
                rows = scene_runs.page(
                    connection,
                    asked.scene_id,
                    sort=ranking,
                    order=asked.order,
                    conditions=asked.conditions,
                    most=asked.limit + 1,
                    after=after,
                )
            total = head.runs
            if asked.conditions:
                total = scene_runs.count(connection, asked.scene_id, asked.conditions)
        except ValueError as error:
            raise InputInvalid("where", f"{error}.") from error
    shown = rows[: asked.limit]
    ranks: Mapping[str, int] = {}
    if is_ranked and not asked.conditions:
        ranks = {
            row.run_key: before + number
            for number, row in enumerate(shown, 1)
            if row.status in ("succeeded", "ruined")
        }
    paths = varied_paths(asked.content)
    best = min(ranks, key=lambda key: ranks[key]) if ranks and before == 0 else None
    items = tuple(_run(row, paths, ranks.get(row.run_key), row.run_key == best) for row in shown)
    following = None
    if len(rows) > asked.limit:
        following = cursor_of((before + asked.limit, *shown[-1].key), _PLACE)
    return RunPage(items, following, total)


def _noted(connection: Connection, asked: _Asked, ranking: Ranking) -> list[RunRead] | None:
    """Return the first page from what the scene's end noted; None for another page, or too few."""
    if asked.conditions or asked.place is not None:
        return None
    wanted = asked.limit + 1
    first = pages.first_runs(connection, asked.scene_id)[:wanted]
    if len(first) < wanted:
        return None
    rows = scene_runs.page(
        connection, asked.scene_id, sort=ranking, order=asked.order, most=wanted, among=first
    )
    return rows if len(rows) == wanted else None  # some may have been pruned


def all_runs_csv(
    settings: Settings, caller: Caller, scene_id: UUID, where: Sequence[str] = ()
) -> Iterator[bytes]:
    """Return the runs of a scene as CSV, in pieces, as they come. Raises NotFound, InputInvalid."""
    conditions = [condition_of(one) for one in where]
    with transaction(settings) as connection:
        _, content = scene_pages.seen(connection, caller, scene_id)
        try:
            scene_runs.count(connection, scene_id, conditions)
        except ValueError as error:
            raise InputInvalid("where", f"{error}.") from error
    paths = [path for path in varied_paths(content) if path not in FIXED]
    query, values = scene_runs.csv_query(scene_id, paths, conditions)
    names = ",".join(scene_runs.csv_names(paths)) + "\n"
    return itertools.chain([names.encode()], rows_as_csv(settings, query, values))


def best_curves(
    settings: Settings, caller: Caller, scene_id: UUID, *, most: int, points: int
) -> SceneCurves:
    """Return the equity of the best runs whose curve is stored. Raises NotFound."""
    with transaction(settings) as connection:
        head, content = scene_pages.seen(connection, caller, scene_id)
    key = (scene_id, head.finished_at, most, points)
    return _curves.of(
        key if has_ended(head) else None,
        lambda: _best_curves(settings, scene_id, content, most, points),
    )


def _best_curves(
    settings: Settings, scene_id: UUID, content: Mapping[str, Any], most: int, points: int
) -> SceneCurves:
    by, paths = ranking_of(content), varied_paths(content)
    found: list[SceneCurve] = []
    with transaction(settings) as connection:
        rows = scene_runs.page(connection, scene_id, sort=by, order="best", most=LOOKED_THROUGH)
        ranked = [(rank, row) for rank, row in enumerate(rows, 1) if row.has_curve][:most]
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


_pages: KeptAnswers[RunPage] = KeptAnswers(256, KEPT_S)
_curves: KeptAnswers[SceneCurves] = KeptAnswers(64, KEPT_S)


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

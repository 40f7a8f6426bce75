"""The runs of a scene, and what its search found."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api.caller import Reader
from api.context import AppSettings
from api.files import csv_file
from api.models.scene_runs import Heatmap, Order, Reduce, RunPage, SceneCurves, SceneReport
from services.runs import heat_map, run_pages
from services.scenes import scene_report

router = APIRouter(tags=["scenes"])

Metric = Annotated[str | None, Query(max_length=60, description="null: the scene's `rank_by`")]
Where = Annotated[
    list[str] | None,
    Query(
        max_length=20,
        description="`metric:op:value`, op one of gt, ge, lt, le, eq; or `status:eq:failed`, "
        "`instrument:eq:binance:BTCUSDT`, `strategy.params.fast:ge:10`, `exits.stop_loss:eq:null`",
        examples=["trades:ge:30"],
    ),
]


@router.get("/scenes/{scene_id}/runs", response_model=RunPage)
def list_runs(
    scene_id: UUID,
    caller: Reader,
    settings: AppSettings,
    sort: Metric = None,
    order: Order = "best",
    where: Where = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> RunPage:
    """List the runs of a scene, sorted by a metric; undefined ones are last.

    order: `best` begins at the metric's better end
    """
    found = run_pages.list_runs(
        settings,
        caller,
        scene_id,
        sort=sort,
        order=order,
        where=where or (),
        limit=limit,
        cursor=cursor,
    )
    return RunPage.of(found)


@router.get(
    "/scenes/{scene_id}/runs.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def download_runs(
    scene_id: UUID, caller: Reader, settings: AppSettings, where: Where = None
) -> StreamingResponse:
    """Return all runs of a scene as CSV: what varies, the status and all metrics."""
    lines = run_pages.all_runs_csv(settings, caller, scene_id, where or ())
    return csv_file(lines, f"runs-{scene_id}.csv")


@router.get("/scenes/{scene_id}/report", response_model=SceneReport)
def get_report(scene_id: UUID, caller: Reader, settings: AppSettings) -> SceneReport:
    """Return what the scene's search has proved."""
    return SceneReport.of(scene_report.report_of(settings, caller, scene_id))


@router.get("/scenes/{scene_id}/heatmap", response_model=Heatmap)
def get_heatmap(
    scene_id: UUID,
    caller: Reader,
    settings: AppSettings,
    x: Annotated[str, Query(max_length=200, examples=["strategy.params.fast"])],
    y: Annotated[str | None, Query(max_length=200)] = None,
    metric: Metric = None,
    reduce: Reduce = "max",
) -> Heatmap:
    """Return a metric over two parameters of a scene.

    reduce: how runs in one cell are folded; `max` takes the metric's better end
    """
    found = heat_map.heat_map(settings, caller, scene_id, x=x, y=y, metric=metric, reduce=reduce)
    return Heatmap.of(found)


@router.get("/scenes/{scene_id}/curves", response_model=SceneCurves)
def get_curves(
    scene_id: UUID,
    caller: Reader,
    settings: AppSettings,
    most: Annotated[int, Query(ge=1, le=20)] = 5,
    points: Annotated[int, Query(ge=50, le=5_000)] = 800,
) -> SceneCurves:
    """Return the equity of the scene's best runs that have a stored curve."""
    return SceneCurves.of(
        run_pages.best_curves(settings, caller, scene_id, most=most, points=points)
    )

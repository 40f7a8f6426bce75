"""Several runs, or the best runs of several scenes, side by side."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from api.caller import Reader
from api.context import AppSettings
from api.models.runs import Comparison
from services.runs import run_compare

router = APIRouter(tags=["compare"])

RunKey = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


@router.get("/compare", response_model=Comparison)
def compare_runs(
    caller: Reader,
    settings: AppSettings,
    run: Annotated[list[RunKey] | None, Query(max_length=10)] = None,
    scene: Annotated[list[UUID] | None, Query(max_length=10)] = None,
    points: Annotated[int, Query(ge=50, le=5_000)] = 800,
) -> Comparison:
    """Return what differs between two to ten runs. scene: stands for its best run."""
    found = run_compare.compare(settings, caller, runs=run or (), scenes=scene or (), points=points)
    return Comparison.of(found)

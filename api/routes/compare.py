"""Several runs, or the best runs of several scenes, side by side."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.caller import Reader
from api.context import AppSettings
from api.models.runs import Comparison

router = APIRouter(tags=["compare"])


@router.get("/compare", response_model=Comparison)
def compare_runs(
    caller: Reader,
    settings: AppSettings,
    run: Annotated[list[str] | None, Query(max_length=10)] = None,
    scene: Annotated[list[UUID] | None, Query(max_length=10)] = None,
    points: Annotated[int, Query(ge=50, le=5_000)] = 800,
) -> Comparison:
    """Return what differs between two to ten runs. scene: stands for its best run."""
    raise NotImplementedError

"""Backfills of candles, which Airflow runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.caller import Reader, Trader
from api.context import AppSettings
from api.models.data import Backfill, BackfillAsked, BackfillList

router = APIRouter(tags=["data"])


@router.post("/backfills", status_code=202, response_model=Backfill)
def start_backfill(asked: BackfillAsked, caller: Trader, settings: AppSettings) -> Backfill:
    """Load candles. Chunks that are already loaded are skipped, unless `force` is set."""
    raise NotImplementedError


@router.get("/backfills", response_model=BackfillList)
def list_backfills(
    caller: Reader, settings: AppSettings, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> BackfillList:
    """List the newest backfills."""
    raise NotImplementedError


@router.get("/backfills/{backfill_id}", response_model=Backfill)
def get_backfill(
    backfill_id: Annotated[str, Path(max_length=250)], caller: Reader, settings: AppSettings
) -> Backfill:
    """Return how far a backfill is."""
    raise NotImplementedError

"""Backfills of candles, which Airflow runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.caller import Reader, Trader
from api.context import AppSettings
from api.models.data import Backfill, BackfillAsked, BackfillList
from services.candles import backfills

router = APIRouter(tags=["data"])


@router.post("/backfills", status_code=202, response_model=Backfill)
def start_backfill(asked: BackfillAsked, caller: Trader, settings: AppSettings) -> Backfill:
    """Load candles. Chunks that are already loaded are skipped, unless `force` is set."""
    series = [(one.instrument, one.interval) for one in asked.series]
    found = backfills.start(
        settings, series, asked.start, asked.end, user=caller.user, force=asked.force
    )
    return Backfill.of(found)


@router.get("/backfills", response_model=BackfillList)
def list_backfills(
    _: Reader, settings: AppSettings, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> BackfillList:
    """List the newest backfills."""
    return BackfillList(items=tuple(Backfill.of(one) for one in backfills.newest(settings, limit)))


@router.get("/backfills/{backfill_id}", response_model=Backfill)
def get_backfill(
    backfill_id: Annotated[str, Path(max_length=250)], _: Reader, settings: AppSettings
) -> Backfill:
    """Return how far a backfill is."""
    return Backfill.of(backfills.find(settings, backfill_id))

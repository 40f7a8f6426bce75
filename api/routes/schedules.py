"""Scenes that come again whenever their candles are complete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.caller import Reader, Trader
from api.context import AppSettings
from api.models.data import ScheduleAsked, ScheduleChange, ScheduleList, ScheduleRow

router = APIRouter(tags=["schedules"])

Name = Annotated[str, Path(max_length=100)]


@router.get("/schedules", response_model=ScheduleList)
def list_schedules(caller: Reader, settings: AppSettings) -> ScheduleList:
    """List all schedules by name."""
    raise NotImplementedError


@router.post("/schedules", status_code=201, response_model=ScheduleRow)
def add_schedule(asked: ScheduleAsked, caller: Trader, settings: AppSettings) -> ScheduleRow:
    """Let a scene come again."""
    raise NotImplementedError


@router.patch("/schedules/{name}", response_model=ScheduleRow)
def change_schedule(
    name: Name, asked: ScheduleChange, caller: Trader, settings: AppSettings
) -> ScheduleRow:
    """Pause a schedule, or let it go on. Its owner and admins may."""
    raise NotImplementedError


@router.delete("/schedules/{name}", status_code=204)
def remove_schedule(name: Name, caller: Trader, settings: AppSettings) -> None:
    """Remove a schedule; scenes that it has published stay. Its owner and admins may."""
    raise NotImplementedError

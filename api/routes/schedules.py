"""Scenes that come again whenever their candles are complete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.caller import Reader, Trader
from api.context import AppSettings
from api.models.data import ScheduleAsked, ScheduleChange, ScheduleList, ScheduleRow
from services.scenes import schedule_pages

router = APIRouter(tags=["schedules"])

Name = Annotated[str, Path(max_length=100)]


@router.get("/schedules", response_model=ScheduleList)
def list_schedules(caller: Reader, settings: AppSettings) -> ScheduleList:
    """List the schedules that the caller may see, by name."""
    found = schedule_pages.list_schedules(settings, caller)
    return ScheduleList(items=tuple(ScheduleRow.of(one) for one in found))


@router.post("/schedules", status_code=201, response_model=ScheduleRow)
def add_schedule(asked: ScheduleAsked, caller: Trader, settings: AppSettings) -> ScheduleRow:
    """Let a scene come again."""
    found = schedule_pages.add(
        settings,
        caller,
        name=asked.name,
        scene=asked.scene,
        span=asked.span,
        every=asked.every,
        is_private=asked.is_private,
    )
    return ScheduleRow.of(found)


@router.patch("/schedules/{name:path}", response_model=ScheduleRow)
def change_schedule(
    name: Name, asked: ScheduleChange, caller: Trader, settings: AppSettings
) -> ScheduleRow:
    """Pause a schedule or let it go on, hide or share it. Its owner may; admins may pause it."""
    found = schedule_pages.change(
        settings, caller, name, is_active=asked.is_active, is_private=asked.is_private
    )
    return ScheduleRow.of(found)


@router.delete("/schedules/{name:path}", status_code=204)
def remove_schedule(name: Name, caller: Trader, settings: AppSettings) -> None:
    """Remove a schedule; scenes that it has published stay. Its owner and admins may."""
    schedule_pages.remove(settings, caller, name)

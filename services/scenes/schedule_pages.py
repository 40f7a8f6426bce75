"""Schedules as a caller of the application sees and changes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from mela.errors import NotAllowed, NotFound
from mela.settings import Settings
from services.accounts.accounts import Caller, Role
from services.scenes import schedules as use_cases
from warehouse.accounts import visible
from warehouse.database import transaction
from warehouse.scenes import schedules


@dataclass(frozen=True, slots=True)
class ScheduleOfList:
    """A scene that comes again. waits_for: why it is not due; None if it is.

    last_scene_id: None where the caller may not see that scene
    """

    name: str
    instruments: tuple[str, ...]
    interval: str
    strategy: str
    span: str
    every: str
    owner: str | None
    is_mine: bool
    is_active: bool
    is_private: bool
    last_covered_until: datetime | None
    last_scene_id: UUID | None
    waits_for: str | None
    scene: Mapping[str, Any]


def list_schedules(settings: Settings, caller: Caller) -> list[ScheduleOfList]:
    """Return the schedules that a caller may see, by name. Admins see private ones of others."""
    with transaction(settings) as connection:
        found = [one for one in schedules.schedules(connection) if _is_for(caller, one)]
        states = schedules.states(connection, datetime.now(UTC))
        last = [one.last_scene_id for one in found if one.last_scene_id is not None]
        seen = {one for one in last if visible.sees_scene(connection, caller.user_id, one)}
    return [
        ScheduleOfList(
            name=one.name,
            instruments=tuple(one.instruments),
            interval=one.interval,
            strategy=str((one.content.get("strategy") or {}).get("name", "")),
            span=one.span,
            every=one.every,
            owner=one.user,
            is_mine=one.user_id == caller.user_id,
            is_active=one.active,
            is_private=one.is_private,
            last_covered_until=one.last_covered_until,
            last_scene_id=one.last_scene_id if one.last_scene_id in seen else None,
            waits_for=state if isinstance(state := states.get(one.name), str) else None,
            scene=one.content,
        )
        for one in found
    ]


def add(
    settings: Settings,
    caller: Caller,
    *,
    name: str,
    scene: Any,
    span: str,
    every: str,
    is_private: bool | None = None,
) -> ScheduleOfList:
    """Let a scene come again, as the caller's. Raises SceneInvalid and InputInvalid.

    is_private: None where it shall be as the caller keeps a scene that asks for the same
    """
    use_cases.add_schedule(
        name, scene, span, settings, every=every, user=caller.user, is_private=is_private
    )
    return _one(settings, caller, name)


def change(
    settings: Settings,
    caller: Caller,
    name: str,
    *,
    is_active: bool | None,
    is_private: bool | None,
) -> ScheduleOfList:
    """Pause a schedule or let it go on, hide or share it; what is None stays as it is.

    is_private: of the schedule and of the scenes that it publishes from now on; only its owner may
    Raises NotFound, and NotAllowed for another's.
    """
    found = _check(settings, caller, name)
    if is_private is not None and not found.is_mine:
        sentence = f"the schedule {name} belongs to {found.owner or 'nobody'}"
        raise NotAllowed(f"{sentence}; only its owner hides or shares it.", "not_yours")
    with transaction(settings) as connection:
        schedules.change(connection, name, active=is_active, is_private=is_private)
    return _one(settings, caller, name)


def remove(settings: Settings, caller: Caller, name: str) -> None:
    """Remove a schedule. Raises NotFound, NotAllowed for another's."""
    _check(settings, caller, name)
    use_cases.remove_schedule(name, settings)


def _is_for(caller: Caller, schedule: Row[Any]) -> bool:
    is_own = schedule.user_id == caller.user_id
    return is_own or not schedule.is_private or caller.role is Role.ADMIN


def _check(settings: Settings, caller: Caller, name: str) -> ScheduleOfList:
    found = _one(settings, caller, name)
    if not found.is_mine and caller.role is not Role.ADMIN:
        raise NotAllowed(f"the schedule {name} belongs to {found.owner or 'nobody'}.", "not_yours")
    return found


def _one(settings: Settings, caller: Caller, name: str) -> ScheduleOfList:
    for one in list_schedules(settings, caller):
        if one.name == name:
            return one
    raise NotFound(f"there is no schedule {name!r}.")

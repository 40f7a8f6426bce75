"""Schedules as a caller of the application sees and changes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from mela.errors import NotAllowed, NotFound
from mela.settings import Settings
from services import schedules as use_cases
from services.accounts import Caller, Role
from warehouse.database import transaction
from warehouse.scenes import schedules


@dataclass(frozen=True, slots=True)
class ScheduleOfList:
    """A scene that comes again. waits_for: why it is not due; None if it is."""

    name: str
    instruments: tuple[str, ...]
    interval: str
    strategy: str
    span: str
    every: str
    owner: str | None
    is_mine: bool
    is_active: bool
    last_covered_until: datetime | None
    last_scene_id: UUID | None
    waits_for: str | None
    scene: Mapping[str, Any]


def list_schedules(settings: Settings, caller: Caller) -> list[ScheduleOfList]:
    """Return all schedules by name."""
    with transaction(settings) as connection:
        found = schedules.schedules(connection)
        states = schedules.states(connection, datetime.now(UTC))
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
            last_covered_until=one.last_covered_until,
            last_scene_id=one.last_scene_id,
            waits_for=state if isinstance(state := states.get(one.name), str) else None,
            scene=one.content,
        )
        for one in found
    ]


def add(
    settings: Settings, caller: Caller, *, name: str, scene: Any, span: str, every: str
) -> ScheduleOfList:
    """Let a scene come again, as the caller's. Raises SceneInvalid and InputInvalid."""
    use_cases.add_schedule(name, scene, span, settings, every=every, user=caller.user)
    return _one(settings, caller, name)


def set_active(settings: Settings, caller: Caller, name: str, *, is_active: bool) -> ScheduleOfList:
    """Pause a schedule, or let it go on. Raises NotFound, NotAllowed for another's."""
    _check(settings, caller, name)
    with transaction(settings) as connection:
        schedules.set_active(connection, name, active=is_active)
    return _one(settings, caller, name)


def remove(settings: Settings, caller: Caller, name: str) -> None:
    """Remove a schedule. Raises NotFound, NotAllowed for another's."""
    _check(settings, caller, name)
    use_cases.remove_schedule(name, settings)


def _check(settings: Settings, caller: Caller, name: str) -> None:
    found = _one(settings, caller, name)
    if not found.is_mine and caller.role is not Role.ADMIN:
        raise NotAllowed(f"the schedule {name} belongs to {found.owner or 'nobody'}.", "not_yours")


def _one(settings: Settings, caller: Caller, name: str) -> ScheduleOfList:
    for one in list_schedules(settings, caller):
        if one.name == name:
            return one
    raise NotFound(f"there is no schedule {name!r}.")

"""How much a user may ask for: runs in a day, scenes at once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from mela.errors import NotFound, RejectionCode, SceneInvalid
from mela.settings import Settings
from warehouse.accounts import accounts as stored_accounts
from warehouse.accounts import quotas as stored
from warehouse.database import transaction


@dataclass(frozen=True, slots=True)
class QuotaState:
    """What a user may ask for, and how much of it is used. 0: any number. A day is one of UTC."""

    runs_per_day: int
    runs_today: int
    scenes_at_once: int
    scenes_now: int


def state(settings: Settings, user_id: int) -> QuotaState:
    """Return a user's quota, and how much of it is used."""
    with transaction(settings) as connection:
        row = stored.used(connection, user_id)
    per_day, at_once = row.runs_per_day, row.scenes_at_once
    return QuotaState(
        runs_per_day=settings.api.runs_per_day if per_day is None else per_day,
        runs_today=row.runs_today,
        scenes_at_once=settings.api.scenes_at_once if at_once is None else at_once,
        scenes_now=row.scenes_now,
    )


def check(
    connection: Connection, settings: Settings, user_id: int, runs: int, *, has_search: bool
) -> None:
    """Let a user ask for a scene's runs, or refuse it. Raises SceneInvalid: quota_exceeded.

    What the user has used stays as it is until the transaction ends: it must store the scene.
    """
    per_day, at_once = stored.limits(connection, user_id)
    per_day = settings.api.runs_per_day if per_day is None else per_day
    at_once = settings.api.scenes_at_once if at_once is None else at_once
    if not per_day and not at_once:
        return
    stored.lock(connection, user_id)
    used = stored.used(connection, user_id)
    if per_day and used.runs_today + runs > per_day:
        raise SceneInvalid(
            RejectionCode.QUOTA_EXCEEDED,
            "search.space" if has_search else "instruments",
            f"the scene asks for {runs:,} runs, and {max(0, per_day - used.runs_today):,} of your "
            f"{per_day:,} runs a day are left until midnight UTC. Ask for fewer, or ask an "
            "administrator for more.",
        )
    if at_once and used.scenes_now >= at_once:
        raise SceneInvalid(
            RejectionCode.QUOTA_EXCEEDED,
            None,
            f"{used.scenes_now} of your scenes are under way, and {at_once} may be at once. Wait "
            "for one to end, or cancel one.",
        )


def set_quota(
    settings: Settings, user: str, *, runs_per_day: int | None, scenes_at_once: int | None
) -> None:
    """Set what a user may ask for; None for the default, 0 for any number. Raises NotFound."""
    with transaction(settings) as connection:
        user_id = stored_accounts.user_id_of(connection, user)
        if user_id is None:
            raise NotFound(f"there is no user {user!r}.")
        stored.put(connection, user_id, runs_per_day, scenes_at_once)

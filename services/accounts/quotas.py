"""The quotas of users: runs in a day, scenes at once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from mela.errors import NotFound, RejectionCode, SceneInvalid
from mela.settings import Settings
from warehouse.accounts import accounts as stored_accounts
from warehouse.accounts import quotas as stored
from warehouse.database import transaction
from warehouse.scenes import users

STRAIGHT = ("kafka", "mela-publisher")  # to whom scenes belong that came straight through Kafka
MOST = 500  # publishers without an account that are listed


@dataclass(frozen=True, slots=True)
class QuotaState:
    """The quotas of a user, and how much of them is used. 0: any number. A day is one of UTC."""

    runs_per_day: int
    runs_today: int
    scenes_at_once: int
    scenes_now: int


@dataclass(frozen=True, slots=True)
class PublisherState:
    """A user who publishes and has no account. runs_per_day, scenes_at_once: None: the default."""

    user: str
    runs_per_day: int | None
    scenes_at_once: int | None
    quota: QuotaState


def state(settings: Settings, user_id: int) -> QuotaState:
    """Return a user's quota, and how much of it is used."""
    with transaction(settings) as connection:
        return _state(connection, settings, user_id)


def publishers(settings: Settings) -> list[PublisherState]:
    """Return who publishes and cannot sign in, by name; those who do so straight to Kafka first.

    They are there before their first scene, so that it can be limited.
    """
    with transaction(settings) as connection:
        known = stored.without_account(connection, MOST)
        names = [*STRAIGHT, *(name for name in known if name not in STRAIGHT)]
        return [_publisher(connection, settings, name, known.get(name)) for name in names]


def publisher(settings: Settings, user: str) -> PublisherState:
    """Return one of them. Raises NotFound for another one, and for one who has an account."""
    for one in publishers(settings):
        if one.user == user:
            return one
    raise NotFound(f"nobody who publishes without an account is called {user!r}.")


def _publisher(
    connection: Connection, settings: Settings, name: str, user_id: int | None
) -> PublisherState:
    if user_id is None:
        per_day, at_once = _limits(settings, stored.Limits(name, None, None))
        return PublisherState(name, None, None, QuotaState(per_day, 0, at_once, 0))
    own = stored.limits(connection, user_id)
    state = _state(connection, settings, user_id)
    return PublisherState(name, own.runs_per_day, own.scenes_at_once, state)


def _state(connection: Connection, settings: Settings, user_id: int) -> QuotaState:
    per_day, at_once = _limits(settings, stored.limits(connection, user_id))
    row = stored.used(connection, user_id)
    return QuotaState(per_day, row.runs_today, at_once, row.scenes_now)


def _limits(settings: Settings, own: stored.Limits) -> tuple[int, int]:
    """Return runs a day and scenes at once of a user: his own, or the default for such users."""
    api = settings.api
    per_day, at_once = api.runs_per_day, api.scenes_at_once
    if own.user in (*STRAIGHT, settings.kafka.publisher):
        per_day = per_day if api.kafka_runs_per_day is None else api.kafka_runs_per_day
        at_once = at_once if api.kafka_scenes_at_once is None else api.kafka_scenes_at_once
    return (
        per_day if own.runs_per_day is None else own.runs_per_day,
        at_once if own.scenes_at_once is None else own.scenes_at_once,
    )


def check(
    connection: Connection, settings: Settings, user_id: int, runs: int, *, has_search: bool
) -> None:
    """Let a user ask for a scene's runs, or refuse it. Raises SceneInvalid: quota_exceeded.

    The count is locked until the transaction ends, which must therefore store the scene.
    """
    per_day, at_once = _limits(settings, stored.limits(connection, user_id))
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
        if user in STRAIGHT:
            user_id = users.ensure(connection, user)  # before the first scene comes that way
        else:
            user_id = stored_accounts.user_id_of(connection, user)
        if user_id is None:
            raise NotFound(f"there is no user {user!r}.")
        stored.put(connection, user_id, runs_per_day, scenes_at_once)

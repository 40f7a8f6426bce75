"""The events of running scenes, for whoever listens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from mela.errors import InputInvalid
from mela.messages import PROGRESS
from mela.settings import Settings
from services.accounts.accounts import Caller
from services.scenes.scene_facts import SceneFacts, facts_of, has_ended
from services.scenes.scene_pages import pace_of
from warehouse.accounts import visible
from warehouse.database import transaction
from warehouse.scenes import listening, pages
from warehouse.scenes.cards import CHANGED
from warehouse.scenes.pages import Filter, SceneHead

__all__ = ["CHANGED", "PROGRESS", "WATCH", "Told", "Watch", "read", "read_watch", "snapshot"]

WATCH = "mela_watch"  # the channel on which a stream is told what it watches from now on
MOST_WATCHED = 150  # scenes of a stream, so that they fit into a message of Postgres
MOST_AT_FIRST = 200  # scenes of a snapshot of all


@dataclass(frozen=True, slots=True)
class Told:
    """The progress of a scene. The fields behind `remaining_s` say who may hear it, and when.

    version: only rises
    card_changed_at: when its owner last said something of it, so that tags and notes are news too
    """

    scene_id: UUID
    version: int
    state: str
    name: str | None
    runs: int
    skipped: int
    recorded: int
    cached: int
    failed: int
    cancelled: int
    best: float | None
    rate_per_s: float | None
    remaining_s: float | None
    user_id: int | None
    is_private: bool
    has_ended: bool
    card_changed_at: datetime | None

    def is_for(self, user_id: int) -> bool:
        """Tell whether a user may hear it."""
        return not self.is_private or self.user_id == user_id


@dataclass(frozen=True, slots=True)
class Watch:
    """The subjects that a stream watches from now on: all or some scenes, and trading sessions."""

    stream: str
    account_id: int
    scenes: tuple[UUID, ...]
    all: bool
    trading: bool


def read(settings: Settings, scene_ids: Collection[UUID]) -> list[Told]:
    """Return the progress of scenes as it is now; unknown ones are left out."""
    if not scene_ids:
        return []
    with transaction(settings) as connection:
        heads = pages.heads(connection, None, Filter(scene_ids=scene_ids), most=len(scene_ids))
        facts = facts_of(connection, heads, fresh=True)
    return [_told(head, facts[head.scene_id]) for head in heads if head.scene_id in facts]


def snapshot(
    settings: Settings,
    caller: Caller,
    scene_ids: Collection[UUID] | None,
    since: datetime,
) -> list[Told]:
    """Return the progress of scenes that a caller may see, the newest first.

    scene_ids: None for all scenes that are under way or have changed since
    """
    wanted = Filter(since=since) if scene_ids is None else Filter(scene_ids=scene_ids)
    most = MOST_AT_FIRST if scene_ids is None else max(1, len(scene_ids))
    with transaction(settings) as connection:
        heads = pages.heads(connection, caller.user_id, wanted, most=most)
        facts = facts_of(connection, heads)
    return [_told(head, facts[head.scene_id]) for head in heads if head.scene_id in facts]


def tell_watch(
    settings: Settings,
    caller: Caller,
    stream: str,
    scenes: Sequence[UUID],
    *,
    all_: bool,
    trading: bool = False,
) -> Watch:
    """Tell the process that has a stream what it watches from now on.

    Events that the caller may not see are left out. Raises InputInvalid for too many.
    """
    if len(scenes) > MOST_WATCHED:
        raise InputInvalid("scenes", f"expected at most {MOST_WATCHED}, found {len(scenes)}.")
    with transaction(settings) as connection:
        seen = tuple(one for one in scenes if visible.sees_scene(connection, caller.user_id, one))
        ids = [str(one) for one in seen]
        words = orjson.dumps([stream, caller.account_id, ids, all_, trading])
        listening.tell(connection, WATCH, words.decode())
    return Watch(stream, caller.account_id, seen, all_, trading)


def read_watch(words: str) -> Watch:
    """Return what `tell_watch` has told."""
    stream, account_id, scenes, all_, trading = orjson.loads(words)
    return Watch(stream, account_id, tuple(UUID(one) for one in scenes), all_, trading)


def _told(head: SceneHead, facts: SceneFacts) -> Told:
    rate, remaining = pace_of(head, facts)
    counts = facts.counts
    return Told(
        scene_id=head.scene_id,
        version=facts.version,
        state=head.status,
        name=head.name,
        runs=head.runs,
        skipped=head.skipped,
        recorded=counts.recorded,
        cached=counts.cached,
        failed=counts.failed,
        cancelled=counts.cancelled,
        best=facts.best.value if facts.best else None,
        rate_per_s=rate,
        remaining_s=remaining,
        user_id=head.user_id,
        is_private=head.is_private,
        has_ended=has_ended(head),
        card_changed_at=head.changed_at,
    )

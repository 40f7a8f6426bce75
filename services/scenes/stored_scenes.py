"""Scenes that the warehouse knows: one by its id or its first digits, or the newest of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from mela.errors import InputInvalid, NotFound, RejectionCode, SceneInvalid
from mela.settings import Settings
from services.scenes.last_scene import published_last
from services.scenes.scene_content import Kind, kind_of, object_of, strategies_of, text_of, texts_of
from services.scenes.scene_states import SceneState
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.scenes import listing, records
from warehouse.scenes.listing import SceneRow
from warehouse.scenes.stored_scene import DEFAULT_RANK_BY, StoredScene, ranking_of

LAST = "last"
MOST_NAMED = 5  # of the scenes that an ambiguous id may mean
ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class ListedScene:
    """A scene of a list.

    strategies, instruments, interval: what it asks for; empty where a rejected one does not say,
        and of a training no strategy
    runs, skipped, recorded, cached, cancelled: as of `mela.messages.Progress`
    best: its best result by `rank_by` so far; None where nothing has that metric yet
    why_rejected: the field and the sentence; None for others
    """

    scene_id: UUID
    name: str | None
    kind: Kind
    state: str
    strategies: tuple[str, ...]
    instruments: tuple[str, ...]
    interval: str | None
    start: str | None
    end: str | None
    runs: int
    skipped: int
    recorded: int
    cached: int
    cancelled: int
    rank_by: str
    best: float | None
    user: str | None
    received_at: datetime
    planned_at: datetime | None
    finished_at: datetime | None
    cancelled_at: datetime | None
    why_rejected: str | None


def list_scenes(
    settings: Settings,
    *,
    states: Collection[SceneState] = (),
    strategy: str | None = None,
    user: str | None = None,
    most: int,
) -> list[ListedScene]:
    """Return the scenes that were received last, the newest first.

    states: only scenes in one of these; none means all
    strategy: only scenes that ask for it, also as one of several in a search
    user: only scenes that this user has published
    """
    wanted = [status for one in states for status in one.stored]
    with transaction(settings) as connection:
        rows = listing.newest(
            connection,
            states=wanted or None,
            strategy=strategy,
            user=user,
            rank_by=DEFAULT_RANK_BY,
            most=most,
        )
        counted = {
            one.scene_id: one
            for one in finder.progress(connection, [str(row.scene_id) for row in rows])
        }
        return [_listed(connection, row, counted[str(row.scene_id)]) for row in rows]


def _listed(connection: Connection, row: SceneRow, counted: finder.SceneProgress) -> ListedScene:
    content = object_of(row.content)
    by = ranking_of(content)
    is_rejected = row.status == "rejected"
    best = row.ended_with
    if best is None and counted.recorded and not is_rejected:
        best = finder.best_value(connection, row.scene_id, by)
    why = ": ".join(filter(None, (row.rejection_field, row.rejection_sentence)))
    return ListedScene(
        scene_id=row.scene_id,
        name=row.name,
        kind=kind_of(content),
        state=row.status,
        strategies=strategies_of(content),
        instruments=texts_of(content.get("instruments")),
        interval=text_of(content.get("interval")),
        start=text_of(content.get("start")),
        end=text_of(content.get("end")),
        runs=counted.runs,
        skipped=counted.skipped,
        recorded=counted.recorded,
        cached=counted.cached,
        cancelled=counted.cancelled,
        rank_by=by.metric,
        best=best,
        user=row.user,
        received_at=row.received_at,
        planned_at=row.planned_at,
        finished_at=row.finished_at,
        cancelled_at=row.cancelled_at,
        why_rejected=why if is_rejected else None,
    )


def scene_id_of(text: str, settings: Settings) -> UUID:
    """Return the id that somebody means: the whole of it, its first digits, or `last`.

    last: the newest scene, of `settings.user` where that is set
    Only a whole id is not looked up, so that a scene may be meant before the planner knows it.
    Raises NotFound where no scene fits, and InputInvalid where several do or this is no id.
    """
    if text == LAST:
        return _last(settings)
    if len(text.replace("-", "")) == ID_DIGITS:
        try:
            return UUID(text)
        except ValueError as error:
            raise InputInvalid("scene_id", f"{_EXPECTED}, but found {text!r}.") from error
    try:
        with transaction(settings) as connection:
            found = listing.beginning_with(connection, text, most=MOST_NAMED + 1)
    except ValueError as error:
        raise InputInvalid("scene_id", f"{_EXPECTED}, but found {text!r}.") from error
    if not found:
        raise NotFound(f"no scene has an id that begins with {text}. {_LISTED}")
    if len(found) > 1:
        named = ", ".join(map(str, found[:MOST_NAMED])) + (", …" * (len(found) > MOST_NAMED))
        raise InputInvalid("scene_id", f"{text} is the beginning of several ids: {named}.")
    return found[0]


_EXPECTED = f"expected a scene's id, its first digits, or `{LAST}`"
_LISTED = "`mela scenes` lists the newest."


def _last(settings: Settings) -> UUID:
    with transaction(settings) as connection:
        own = published_last(settings)
        found = listing.newest(connection, user=settings.user, rank_by=DEFAULT_RANK_BY, most=1)
        if own and (not found or found[0].received_at < own.at):
            return own.scene_id  # published a moment ago: the planner has not read it yet
    if not found:
        whose = f" by {settings.user}" if settings.user else ""
        raise NotFound(f"no scene was published yet{whose}. `mela publish SCENE.yaml` does.")
    return found[0].scene_id


def stored_scene(connection: Connection, scene_id: UUID) -> StoredScene:
    """Return a scene. Raises NotFound."""
    scene = records.get(connection, scene_id)
    if scene is None:
        raise NotFound(
            f"no scene has the id {scene_id}. If it was published a moment ago, it may not be "
            "planned yet; `mela status` tells whether the streaming job runs."
        )
    return scene


def accepted_scene(connection: Connection, scene_id: UUID) -> StoredScene:
    """Return a scene. Raises NotFound, and for a rejected one what its author was told."""
    scene = stored_scene(connection, scene_id)
    if scene.status == "rejected":
        code = RejectionCode(scene.rejection_code)
        raise SceneInvalid(code, scene.rejection_field, scene.rejection_sentence or "")
    return scene

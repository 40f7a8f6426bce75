"""Scenes as a caller of the application sees them: pages of them, and one in full."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Connection

from mela.errors import NotFound
from mela.failures import Failure
from mela.instants import instant_text
from mela.search import GridSearch
from mela.settings import Settings
from mela.training import is_training
from mela.values import values_of
from mela.warning_words import sentence_of
from services.accounts.accounts import Caller
from services.accounts.visibility import no_scene
from services.answer_cache import KeptAnswers
from services.cursors import cursor_of, place_of
from services.scenes.scene_content import Kind
from services.scenes.scene_facts import SceneFacts, facts_of, has_ended
from services.scenes.scene_states import SceneState
from services.scenes.scene_yaml import yaml_of
from services.scenes.trainings import TrainingState, state_of
from services.tracking.mlflow_pages import compared
from warehouse.database import transaction
from warehouse.results import finder, scene_runs
from warehouse.retention import pruned
from warehouse.scenes import pages, records
from warehouse.scenes.pages import BestRun, Filter, SceneHead

MOST_VALUES = 200  # of a parameter that varies
MOST_REASONS = 20
MLFLOW_AGAIN_S, MLFLOW_PAGES = 60.0, 5_000
_mlflow_pages: dict[str, tuple[str | None, float]] = {}
_PLACE = TypeAdapter(tuple[datetime, UUID])


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a scene was rejected."""

    code: str
    field: str | None
    message: str


@dataclass(frozen=True, slots=True)
class SceneOfList:
    """A scene of a list. `failed` counts in `recorded`, `cancelled` does not."""

    scene_id: UUID
    name: str | None
    kind: Kind
    state: str
    version: int
    owner: str | None
    is_mine: bool
    is_private: bool
    tags: tuple[str, ...]
    strategies: tuple[str, ...]
    instruments: tuple[str, ...]
    interval: str | None
    start: str | None
    end: str | None
    mode: Literal["each", "together"]
    runs: int
    skipped: int
    recorded: int
    cached: int
    failed: int
    cancelled: int
    rank_by: str
    best: float | None
    best_run_key: str | None
    best_metrics: BestRun | None
    received_at: datetime
    planned_at: datetime | None
    finished_at: datetime | None
    cancelled_at: datetime | None
    rejection: Rejection | None


@dataclass(frozen=True, slots=True)
class ScenePage:
    """Scenes, the newest first. next_cursor: None on the last page."""

    items: tuple[SceneOfList, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Varied:
    """A path at which the runs of a scene differ, and the values there."""

    path: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning. runs: how many have it, None where it is of the whole."""

    code: str
    message: str
    runs: int | None = None
    run_key: str | None = None


@dataclass(frozen=True, slots=True)
class SceneInFull:
    """A scene and what is known of its runs.

    rate_per_s, remaining_s: None before the first answer and after the end
    """

    row: SceneOfList
    changed_at: datetime | None
    scene: Mapping[str, Any]
    yaml: str
    note: str
    varied: tuple[Varied, ...]
    rate_per_s: float | None
    remaining_s: float | None
    statuses: Mapping[str, int]
    failures: tuple[Failure, ...]
    warnings: tuple[Warned, ...]
    rerun_of: UUID | None
    mlflow_run_id: str | None
    pruned: str | None
    training: TrainingState | None


def list_page(
    settings: Settings,
    caller: Caller,
    *,
    states: Sequence[SceneState] = (),
    strategy: str | None = None,
    instrument: str | None = None,
    interval: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    tag: str | None = None,
    words: str | None = None,
    owner: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> ScenePage:
    """Return a page of the scenes that a caller may see. Raises InputInvalid for a cursor."""
    wanted = Filter(
        states=tuple(stored for one in states for stored in one.stored),
        strategy=strategy,
        instrument=instrument,
        interval=interval,
        start=start and instant_text(start),
        end=end and instant_text(end),
        tag=tag,
        words=words,
        owner=owner,
    )
    before = place_of(cursor, _PLACE)
    with transaction(settings) as connection:
        heads = pages.heads(connection, caller.user_id, wanted, most=limit + 1, before=before)
        shown = heads[:limit]
        facts = facts_of(connection, shown)
    items = tuple(
        row_of(head, facts[head.scene_id], caller) for head in shown if head.scene_id in facts
    )
    last = shown[-1] if len(heads) > limit else None
    following = None if last is None else cursor_of((last.received_at, last.scene_id), _PLACE)
    return ScenePage(items, following)


def row(settings: Settings, caller: Caller, scene_id: UUID) -> SceneOfList:
    """Return a scene as a list shows it. Raises NotFound."""
    with transaction(settings) as connection:
        head, facts = _seen(connection, caller, scene_id)
    return row_of(head, facts, caller)


def in_full(settings: Settings, caller: Caller, scene_id: UUID) -> SceneInFull:
    """Return a scene in full. Raises NotFound."""
    with transaction(settings) as connection:
        head, facts = _seen(connection, caller, scene_id)
        stored = records.get(connection, scene_id)
        if stored is None:
            raise NotFound(no_scene(scene_id))
        key = (scene_id, facts.version) if has_ended(head) else None
        counted = _counted.of(key, lambda: _count(connection, scene_id, stored.content))
        gone = pruned.of_scene(connection, scene_id)
    ending = stored.ending
    warned = {
        (one.run_key, one.code): Warned(one.code, one.sentence, run_key=one.run_key or None)
        for one in ending.warnings
    }
    rate, remaining = pace_of(head, facts)
    return SceneInFull(
        row=row_of(head, facts, caller),
        changed_at=head.changed_at,
        scene=stored.content,
        yaml=counted.yaml,
        note=head.note,
        varied=counted.varied,
        rate_per_s=rate,
        remaining_s=remaining,
        statuses=counted.statuses,
        failures=counted.failures,
        warnings=tuple(warned.values()),
        rerun_of=None if stored.rerun_of is None else UUID(stored.rerun_of),
        mlflow_run_id=stored.mlflow_run_id,
        pruned=None if gone is None else gone.sentence,
        training=state_of(scene_id, settings) if stored.is_training else None,
    )


class _Counted(NamedTuple):
    statuses: Mapping[str, int]
    failures: tuple[Failure, ...]
    varied: tuple[Varied, ...]
    yaml: str


def _count(connection: Connection, scene_id: UUID, content: Mapping[str, Any]) -> _Counted:
    return _Counted(
        finder.statuses(connection, scene_id),
        tuple(finder.failures(connection, scene_id, MOST_REASONS)),
        tuple(_varied(connection, scene_id, content)),
        yaml_of(content),
    )


_counted: KeptAnswers[_Counted] = KeptAnswers(1_000, 600.0)


def row_of(head: SceneHead, facts: SceneFacts, caller: Caller) -> SceneOfList:
    """Return a scene as a list shows it to a caller."""
    counts, best = facts.counts, facts.best
    is_rejected = head.status == "rejected"
    return SceneOfList(
        scene_id=head.scene_id,
        name=head.name,
        kind=facts.kind,
        state=head.status,
        version=facts.version,
        owner=head.owner,
        is_mine=head.user_id == caller.user_id,
        is_private=head.is_private,
        tags=tuple(head.tags),
        strategies=facts.strategies,
        instruments=facts.instruments,
        interval=facts.interval,
        start=facts.start,
        end=facts.end,
        mode=facts.mode,
        runs=head.runs,
        skipped=head.skipped,
        recorded=counts.recorded,
        cached=counts.cached,
        failed=counts.failed,
        cancelled=counts.cancelled,
        rank_by=facts.ranking.metric,
        best=best and best.value,
        best_run_key=best and best.run_key,
        best_metrics=best,
        received_at=head.received_at,
        planned_at=head.planned_at,
        finished_at=head.finished_at,
        cancelled_at=head.cancelled_at,
        rejection=Rejection(
            head.rejection_code or "", head.rejection_field, head.rejection_sentence or ""
        )
        if is_rejected
        else None,
    )


def pace_of(head: SceneHead, facts: SceneFacts) -> tuple[float | None, float | None]:
    """Return runs a second since a scene was planned, and the seconds that the others will take."""
    done = facts.counts.recorded - facts.counts.cached
    if has_ended(head) or head.cancelled_at or head.planned_at is None or done <= 0:
        return None, None
    seconds = (datetime.now(UTC) - head.planned_at).total_seconds()
    if seconds <= 0:
        return None, None
    rate = done / seconds
    return rate, max(0, head.runs - facts.counts.recorded) / rate


def varied_paths(content: Mapping[str, Any]) -> list[str]:
    """Return the paths at which the runs of a scene differ, in the order of the scene."""
    if is_training(content):  # it has none
        return []
    space = (content.get("search") or {}).get("space") or {}
    paths = list(space)
    if len(content.get("instruments") or ()) > 1 and content.get("mode") != "together":
        paths.append("instrument")
    if content.get("validation"):
        paths.append("start")
    return paths


def warned(codes: Mapping[str, int], strategy: str) -> list[Warned]:
    """Return warnings of runs in words, by how many runs have each code."""
    return [Warned(code, sentence_of(code, strategy), runs) for code, runs in codes.items()]


def mlflow_page(settings: Settings, run_id: str | None) -> str | None:
    """Return where MLflow shows the runs of a scene; None where it does not, or not yet.

    MLflow may be slow: it is asked in the background, once about a scene, and again after a minute
    where it did not answer.
    """
    if run_id is None:
        return None
    page, again_at = _mlflow_pages.get(run_id, (None, 0.0))
    if page is None and time.monotonic() >= again_at:
        _mlflow_pages[run_id] = (None, time.monotonic() + MLFLOW_AGAIN_S)
        threading.Thread(target=_ask_mlflow, args=(settings, run_id), daemon=True).start()
    return page


def _ask_mlflow(settings: Settings, run_id: str) -> None:
    found = compared(run_id, settings)
    if found is not None:
        _mlflow_pages[run_id] = (found.table, 0.0)
    while len(_mlflow_pages) > MLFLOW_PAGES:
        _mlflow_pages.pop(next(iter(_mlflow_pages)), None)


def seen(
    connection: Connection, caller: Caller, scene_id: UUID
) -> tuple[SceneHead, Mapping[str, Any]]:
    """Return a scene that a caller may see, and its content. Raises NotFound."""
    head, facts = _seen(connection, caller, scene_id)
    content = facts.content if isinstance(facts.content, Mapping) else {}
    return head, content


def best_run_of(connection: Connection, caller: Caller, scene_id: UUID) -> str | None:
    """Return the best run of a scene that a caller may see, if it has one. Raises NotFound."""
    best = _seen(connection, caller, scene_id)[1].best
    return None if best is None else best.run_key


def _seen(connection: Connection, caller: Caller, scene_id: UUID) -> tuple[SceneHead, SceneFacts]:
    heads = pages.heads(connection, caller.user_id, Filter(scene_ids=[scene_id]), most=1)
    facts = facts_of(connection, heads)
    if not heads or scene_id not in facts:
        raise NotFound(no_scene(scene_id))
    return heads[0], facts[scene_id]


def _varied(connection: Connection, scene_id: UUID, content: Mapping[str, Any]) -> Sequence[Varied]:
    search = content.get("search") or {}
    found: list[Varied] = []
    for path in varied_paths(content):
        axis = (search.get("space") or {}).get(path)
        if axis is not None and search.get("kind", "grid") == "grid":
            read = GridSearch.model_validate({"kind": "grid", "space": {path: axis}})
            values = values_of(read.space[path])
        elif path == "instrument":
            values = list(content["instruments"])
        else:
            values = scene_runs.values_of(connection, scene_id, path, MOST_VALUES)
        if len(values) > 1:
            found.append(Varied(path, tuple(values[:MOST_VALUES])))
    return found

"""Facts of scenes that are shown to everybody, computed once for all readers.

A scene that has ended changes no more, so that what was counted of it is kept. The counts of a
running scene are kept for a moment, because many may look at it at once.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection

from mela.instants import to_ms
from mela.metrics import METRICS, Ranking
from mela.training import is_training
from services.scenes.scene_content import Kind, kind_of, object_of, strategies_of, text_of, texts_of
from warehouse.scenes import pages
from warehouse.scenes.pages import BestRun, Counts, SceneHead
from warehouse.scenes.stored_scene import ranking_of

MOST_KEPT = 5_000
FRESH_S = 0.5
_STAGES = ("received", "rejected", "planned", "cancelled", "finished")
_SINCE = to_ms(datetime(2026, 1, 1, tzinfo=UTC)) // 10_000
_MOST_ANSWERS = 2**24 - 1


@dataclass(frozen=True, slots=True)
class SceneFacts:
    """The request of a scene and its progress.

    start, end: as the scene says it; None where a rejected one says nothing
    """

    kind: Kind
    strategies: tuple[str, ...]
    instruments: tuple[str, ...]
    interval: str | None
    start: str | None
    end: str | None
    mode: Literal["each", "together"]
    ranking: Ranking
    counts: Counts
    best: BestRun | None
    version: int
    content: Any


@dataclass(frozen=True, slots=True)
class _Kept:
    facts: SceneFacts
    key: tuple[Any, ...]
    until: float  # on the monotonic clock


_kept: OrderedDict[UUID, _Kept] = OrderedDict()
_lock = threading.Lock()  # of `_kept`
_counting = threading.Lock()  # one counts, and the others then find it kept


def facts_of(
    connection: Connection, heads: Sequence[SceneHead], *, fresh: bool = False
) -> dict[UUID, SceneFacts]:
    """Return what is shown of scenes.

    fresh: count scenes under way now, whatever was counted a moment ago
    """
    found, missing = _look_up(heads, fresh=fresh)
    if not missing:
        return found
    with _counting:
        again, missing = _look_up(missing, fresh=fresh)
        found |= again
        if missing:
            found |= _count(connection, missing)
    return found


def version_of(head: SceneHead, counts: Counts) -> int:
    """Return a number that rises whenever the scene goes on, the same in every process.

    The moment of its receipt comes first, since a rejected id may be used again, then the stage,
    then how many runs have an answer of any kind.
    """
    stage = head.status
    if head.status == "cancelled" and head.finished_at is not None:
        stage = "finished"  # nothing comes after this
    since = max(0, to_ms(head.received_at) // 10_000 - _SINCE)
    answers = min(counts.recorded + counts.cancelled, _MOST_ANSWERS)
    return (since << 27) + (_STAGES.index(stage) << 24) + answers


def has_ended(head: SceneHead) -> bool:
    """Tell whether nothing will change any more, but by pruning."""
    return head.status in ("finished", "rejected") or head.finished_at is not None


def forget() -> None:
    """Forget all that is kept: for tests, whose warehouse begins anew."""
    with _lock:
        _kept.clear()


def _look_up(
    heads: Iterable[SceneHead], *, fresh: bool
) -> tuple[dict[UUID, SceneFacts], list[SceneHead]]:
    found: dict[UUID, SceneFacts] = {}
    missing: list[SceneHead] = []
    now = time.monotonic()
    with _lock:
        for head in heads:
            one = _kept.get(head.scene_id)
            is_good = one is not None and one.key == _key(head) and now < one.until
            if one is not None and is_good and (has_ended(head) or not fresh):
                _kept.move_to_end(head.scene_id)
                found[head.scene_id] = one.facts
            else:
                missing.append(head)
    return found, missing


def _count(connection: Connection, heads: Sequence[SceneHead]) -> dict[UUID, SceneFacts]:
    ids = [head.scene_id for head in heads]
    asked = pages.asked(connection, ids)
    accepted = [head.scene_id for head in heads if head.status != "rejected"]
    counted = pages.counts(connection, accepted)
    found: dict[UUID, SceneFacts] = {}
    for head in heads:
        if head.scene_id not in asked:
            continue
        of, counts = asked[head.scene_id], counted.get(head.scene_id, Counts())
        found[head.scene_id] = _facts(connection, head, of, counts)
    until = time.monotonic() + FRESH_S
    with _lock:
        for head in heads:
            if head.scene_id in found:
                kept_until = float("inf") if has_ended(head) else until
                _kept[head.scene_id] = _Kept(found[head.scene_id], _key(head), kept_until)
                _kept.move_to_end(head.scene_id)
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return found


def _facts(
    connection: Connection, head: SceneHead, asked: pages.Asked, counts: Counts
) -> SceneFacts:
    content = object_of(asked.content)
    by = ranking_of(content)
    best: BestRun | None = None
    if asked.best and by.metric in METRICS:
        best = _best_of(asked.best, by)
    elif counts.recorded > counts.failed and by.metric in METRICS and not is_training(content):
        best = pages.best_run(connection, head.scene_id, by)
    return SceneFacts(
        kind=kind_of(content),
        strategies=strategies_of(content),
        instruments=texts_of(content.get("instruments")),
        interval=text_of(content.get("interval")),
        start=text_of(content.get("start")),
        end=text_of(content.get("end")),
        mode="together" if content.get("mode") == "together" else "each",
        ranking=by,
        counts=counts,
        best=best,
        version=version_of(head, counts),
        content=asked.content,
    )


def _best_of(document: Mapping[str, Any], by: Ranking) -> BestRun | None:
    run_key = document.get("run_key")
    if not isinstance(run_key, str):
        return None
    shown = (document.get(name) for name in ("sharpe", "total_return", "max_drawdown", "trades"))
    return BestRun(run_key, document.get(by.metric), *shown)


def _key(head: SceneHead) -> tuple[Any, ...]:
    return (head.status, head.received_at, head.planned_at, head.finished_at, head.cancelled_at)

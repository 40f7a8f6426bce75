"""Stored results that no longer hold, as far as a caller may see them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from mela.settings import Settings
from services.accounts.accounts import Caller
from services.runs.run_detail import STALE_WORDS
from services.scenes.rerun import Stale, find_stale
from warehouse.database import transaction
from warehouse.results.stale import StaleResult
from warehouse.scenes import pages
from warehouse.scenes.pages import Filter

KEPT_S = 60.0  # looking at every stored result takes a while
MOST = 1_000
_kept: dict[str, tuple[float, Stale]] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class StaleOfCaller:
    """Stored results that no longer hold. results: up to 1,000 of total."""

    total: int
    results: tuple[StaleResult, ...]
    scenes: tuple[StaleSceneRow, ...]


@dataclass(frozen=True, slots=True)
class StaleSceneRow:
    """A scene that answers with stale results. strategies, instruments: of these results."""

    scene_id: UUID
    name: str | None
    owner: str | None
    received_at: datetime
    strategies: tuple[str, ...]
    instruments: tuple[str, ...]
    results: int
    can_rerun: bool


def stale_of(settings: Settings, caller: Caller) -> StaleOfCaller:
    """Return what no longer holds of the scenes that a caller may see; at most a minute old."""
    found = _found(settings)
    ids = [one.scene_id for one in found.scenes]
    with transaction(settings) as connection:
        heads = pages.heads(
            connection, caller.user_id, Filter(scene_ids=ids), most=max(1, len(ids))
        )
    known = {one.scene_id: one for one in heads}
    scenes = [one for one in found.scenes if one.scene_id in known]
    held = {result.result_key for scene in scenes for result in scene.results}
    results = [one for one in found.results if one.result_key in held]
    return StaleOfCaller(
        len(results),
        tuple(results[:MOST]),
        tuple(
            StaleSceneRow(
                one.scene_id,
                known[one.scene_id].name,
                known[one.scene_id].owner,
                known[one.scene_id].received_at,
                strategies=tuple(sorted({result.strategy for result in one.results})),
                instruments=tuple(sorted({result.instrument for result in one.results})),
                results=len(one.results),
                can_rerun=one.can_rerun,
            )
            for one in scenes
        ),
    )


def words_of(result: StaleResult) -> tuple[str, ...]:
    """Return why a result no longer holds, in sentences."""
    return tuple(STALE_WORDS[one] for one in result.reasons)


def _found(settings: Settings) -> Stale:
    url = settings.postgres.url()
    with _lock:  # one looks, and the others then find it kept
        kept = _kept.get(url)
        if kept is None or time.monotonic() >= kept[0]:
            kept = time.monotonic() + KEPT_S, find_stale(settings)
            _kept[url] = kept
        return kept[1]

"""One run as a caller of the application sees it: question, answer, lineage, whether it holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from backtests.simulate import provenance
from mela.errors import NotFound
from mela.metrics import METRICS
from mela.outcome import WITH_METRICS, Provenance
from mela.run_terms import VARIABLE
from mela.settings import Settings
from mela.warning_words import sentence_of
from services.accounts.accounts import Caller
from services.accounts.visibility import no_run
from services.answer_cache import KeptAnswers
from services.scenes.scene_pages import Warned
from services.strategies.all_strategies import all_strategies
from warehouse.database import transaction
from warehouse.results import one_run, scene_runs
from warehouse.results.lineage import Lineage, SeriesLineage, lineage_of
from warehouse.results.stale import Reason, reasons_of
from warehouse.scenes.stored_scene import ranking_of

Document = Mapping[str, Any]
MOST_SCENES = 20
RANKED_UP_TO = 20_000  # runs of a scene; to rank among more would take too long
HELD = ("alpha", "beta", "up_capture", "down_capture")
STALE_WORDS: Mapping[Reason, str] = {
    "candles": "candles that it read have changed since",
    "strategy": "the strategy's source has changed since",
    "strategy_gone": "the strategy is no longer registered",
    "engine": "the rules of execution have a newer version",
    "metrics": "the definitions of metrics have a newer version",
}
_documents: KeptAnswers[Document] = KeptAnswers(500, 60.0)
_ranks: KeptAnswers[int | None] = KeptAnswers(20_000, 300.0)
_TODAY_S = 2.0
_today: dict[str, Any] = {"until": 0.0, "is": {}}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class HeldBy:
    """A scene that a result answers. rank: among its runs; None where it was not looked up."""

    scene_id: UUID
    name: str | None
    owner: str | None
    rank: int | None


@dataclass(frozen=True, slots=True)
class RunFound:
    """A run and its newest answer that the caller may see.

    document: as `mela.result.Result` describes it
    lineage: without the series; see `series_read`
    without_curve: why trades and equity are not stored; None where they are
    """

    run_key: str
    result_key: str
    document: Document
    lineage: Lineage
    stale_reasons: tuple[str, ...]
    scenes: tuple[HeldBy, ...]
    without_curve: str | None
    trades: int | None
    warnings: tuple[Warned, ...]

    @property
    def metrics(self) -> dict[str, float | None]:
        """Return all metrics by name; None where undefined."""
        return {name: self.document.get(name) for name in METRICS}

    @property
    def terms(self) -> dict[str, Any]:
        """Return cash, costs, sizing and the other terms."""
        return {name: self.document.get(name) for name in (*VARIABLE, "portfolio")}

    @property
    def benchmark(self) -> dict[str, float | None]:
        """Return what is known of buying and holding, and of the run against it."""
        held = {name: self.document.get(name) for name in HELD}
        return {"total_return": self.document.get("buy_hold_return"), **held}


@dataclass(frozen=True, slots=True)
class RunHead:
    """A run that a caller may see: its answer, and whether its curve is stored."""

    run_key: str
    result_key: str
    document: Document
    without_curve: str | None

    @property
    def has_curve(self) -> bool:
        """Tell whether trades and equity are stored."""
        return self.without_curve is None


@dataclass(frozen=True, slots=True)
class RunOpened:
    """A run's newest answer that a caller may see, and what its page depends on."""

    run_key: str
    result_key: str
    reasons: tuple[Reason, ...]
    holders: tuple[one_run.Holder, ...]
    has_curve: bool

    @property
    def depends_on(self) -> Sequence[object]:
        """Return what tells this page from an older one, for a client that has that already."""
        scenes = [
            (str(one.scene_id), one.name, one.owner, one.runs, one.finished_at)  # ends with a rank
            for one in self.holders
        ]
        return self.result_key, self.reasons, scenes, self.has_curve


def opened(settings: Settings, caller: Caller, run_key: str) -> RunOpened:
    """Return a run's newest answer, without its numbers. Raises NotFound."""
    today = provenances(settings)
    with transaction(settings) as connection:
        result_key = one_run.newest_answer(connection, caller.user_id, run_key)
        if result_key is None:
            raise NotFound(no_run(run_key))
        return RunOpened(
            run_key,
            result_key,
            tuple(reasons_of(connection, today, result_key)),
            tuple(one_run.held_by(connection, caller.user_id, result_key, MOST_SCENES)),
            one_run.has_curve(connection, result_key),
        )


def run_found(settings: Settings, opened: RunOpened) -> RunFound:
    """Return a run in full. Raises NotFound where it was pruned meanwhile."""
    run_key, result_key = opened.run_key, opened.result_key
    with transaction(settings) as connection:
        found = lineage_of(connection, result_key, with_series=False)
        if found is None:
            raise NotFound(no_run(run_key))
        document = one_run.document(connection, result_key)
        scenes = tuple(_held(connection, one, run_key) for one in opened.holders)
        trades = one_run.count_trades(connection, result_key) if opened.has_curve else None
    name = document["strategy"]["name"]
    return RunFound(
        run_key=run_key,
        result_key=result_key,
        document=document,
        lineage=found,
        stale_reasons=tuple(STALE_WORDS[one] for one in opened.reasons),
        scenes=scenes,
        without_curve=None if opened.has_curve else _why_not(document),
        trades=trades,
        warnings=tuple(Warned(code, sentence_of(code, name)) for code in document["warnings"]),
    )


def series_read(settings: Settings, caller: Caller, run_key: str) -> Sequence[SeriesLineage]:
    """Return the candles that a run's newest answer read, and their loads. Raises NotFound."""
    with transaction(settings) as connection:
        found = lineage_of(connection, head_in(connection, caller, run_key).result_key)
    if found is None:
        raise NotFound(no_run(run_key))
    return found.series


def run_head(settings: Settings, caller: Caller, run_key: str) -> RunHead:
    """Return a run's newest answer. Raises NotFound where the caller sees none."""
    with transaction(settings) as connection:
        return head_in(connection, caller, run_key)


def head_in(connection: Connection, caller: Caller, run_key: str) -> RunHead:
    """Do the same in a transaction."""
    result_key = one_run.newest_answer(connection, caller.user_id, run_key)
    if result_key is None:
        raise NotFound(no_run(run_key))
    # what a head is read for never changes; the whole run is read anew, see run_found
    document = _documents.of(result_key, lambda: one_run.document(connection, result_key))
    is_stored = one_run.has_curve(connection, result_key)
    return RunHead(run_key, result_key, document, None if is_stored else _why_not(document))


def provenances(settings: Settings) -> Mapping[str, Provenance]:
    """Return by strategy with which code a result would be made today.

    Files of strategies are looked at again every other second at most.
    """
    with _lock:
        if time.monotonic() >= _today["until"]:
            catalogue = all_strategies(settings)
            _today["is"] = {name: provenance(name, None, catalogue) for name in catalogue}
            _today["until"] = time.monotonic() + _TODAY_S
        return _today["is"]


def instants_of(document: Document) -> tuple[datetime, datetime]:
    """Return the span of a result document, [start, end)."""
    return datetime.fromisoformat(document["start"]), datetime.fromisoformat(document["end"])


def _held(connection: Connection, holder: one_run.Holder, run_key: str) -> HeldBy:
    rank = None
    if isinstance(holder.content, Mapping) and holder.runs <= RANKED_UP_TO:
        by = ranking_of(holder.content)
        key = (holder.scene_id, run_key, holder.finished_at) if holder.finished_at else None
        rank = _ranks.of(
            key,
            lambda: scene_runs.ranks(connection, holder.scene_id, by, [run_key]).get(run_key),
        )
    return HeldBy(holder.scene_id, holder.name, holder.owner, rank)


def _why_not(document: Document) -> str:
    if document["status"] not in WITH_METRICS:
        return f"the run ended as {document['status']}, so that it has no equity."
    return (
        "trades and equity are kept of the best runs of a scene only. Ask for this run as a scene "
        "of its own: its curve is then stored."
    )

"""A dry run of a scene: its faults, how many runs it has, and what the store already holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from backtests.simulate import provenance
from backtests.strategy import Catalogue
from mela.calendars import expected_opens_ms
from mela.errors import RejectionCode, SceneInvalid
from mela.grid import Plan, plan_runs
from mela.instrument import Instrument, load_command
from mela.market_checks import check_markets
from mela.run import from_ms, instant_text, to_ms
from mela.scene import Scene, parse_scene, scene_faults
from mela.scene_check import faults_of
from mela.settings import Settings
from mela.training import is_training
from services.models.pinning import pinned_scene
from services.strategies.all_strategies import all_strategies
from warehouse.candles.coverage import Coverage, coverage
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.results import finder

T = TypeVar("T")
MOST_LOOKED_UP = 20_000  # runs; looking up more would take longer than a reader waits
LOOKED_UP_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Fault:
    """A reason for which a scene would be rejected. path: of the field; None: of the whole."""

    path: str | None
    code: RejectionCode
    sentence: str


@dataclass(frozen=True, slots=True)
class MissingCandles:
    """A part of a scene's span, [start, end), without candles. load: the command that helps."""

    instrument: str
    interval: str
    start: datetime
    end: datetime
    load: str


@dataclass(frozen=True, slots=True)
class Validation:
    """The outcome of a dry run.

    faults: empty for a scene that would be accepted; the other fields then hold
    scene: None if the document is no scene at all
    runs, skipped: the numbers of its plan
    stored: how many runs would be answered from the store; None if they are too many to look up,
        or chosen by answers
    missing: where candles begin too late or end too early. Such a scene is accepted all the same
    """

    faults: tuple[Fault, ...]
    scene: Scene | None = None
    runs: int = 0
    skipped: int = 0
    stored: int | None = None
    missing: tuple[MissingCandles, ...] = ()

    @property
    def ok(self) -> bool:
        """Tell whether the scene would be accepted."""
        return not self.faults


def validate_scene(
    document: Any, settings: Settings, *, offline: bool = False, seen_by: int | None = None
) -> Validation:
    """Check a scene as the planner will, without publishing it.

    document: JSON values
    offline: leave out what only the warehouse knows: instruments, stored results, candles
    seen_by: a user; only stored results that this one may see are counted. None counts all
    """
    if is_training(document):
        return _of_training(document, settings, offline=offline)
    catalogue = all_strategies(settings)
    refused = faults_of(
        document,
        lambda scene: plan_runs(
            pinned_scene(scene, settings), catalogue, max_runs=settings.max_runs
        ),
    )
    if refused:
        scene = None if scene_faults(document) else parse_scene(document)
        return Validation(tuple(map(_fault, refused)), scene)
    scene = parse_scene(document)
    pinned = pinned_scene(scene, settings)  # as it would be planned now
    plan = plan_runs(pinned, catalogue, max_runs=settings.max_runs)
    if offline:
        return Validation((), scene, plan.runs, plan.skipped)
    unknown, missing = _candles(scene, plan, settings)
    if unknown:
        return Validation(tuple(unknown), scene, plan.runs, plan.skipped, missing=tuple(missing))
    stored = _stored(plan, catalogue, settings, seen_by)
    return Validation((), scene, plan.runs, plan.skipped, stored, tuple(missing))


def _of_training(document: Any, settings: Settings, *, offline: bool) -> Validation:
    """Check a training: its runs are the models that it fits."""
    from services.scenes.trainings import check_instruments, checked, read_by

    try:
        found = checked(document, settings)
        if not offline:
            with transaction(settings) as connection:
                known = instruments.known(connection, read_by(found.training))
            check_instruments(found.training, known)
    except SceneInvalid as refused:
        return Validation((_fault(refused),))
    return Validation((), runs=found.fits)


def _fault(refused: SceneInvalid) -> Fault:
    return Fault(refused.field, refused.code, refused.sentence)


def _candles(
    scene: Scene, plan: Plan, settings: Settings
) -> tuple[list[Fault], list[MissingCandles]]:
    with transaction(settings) as connection:
        known = instruments.known(connection, scene.instruments)
        spans = coverage(connection, scene.instruments)
    by_name = {one.instrument: one for one in spans if one.interval == scene.interval.value}
    unknown: list[Fault] = []
    try:
        check_markets(scene, known, has_free_shorts=plan.has_free_shorts)
    except SceneInvalid as error:
        unknown.append(_fault(error))
    missing: list[MissingCandles] = []
    for place, name in enumerate(scene.instruments):
        if name in known:
            missing += _gaps(scene, known[name], by_name.get(name))
            continue
        load = _load(scene, name, scene.start, scene.end)
        sentence = f"no candles of {name} were ever loaded. Load them first: {load}"
        unknown.append(Fault(f"instruments.{place}", RejectionCode.UNKNOWN_INSTRUMENT, sentence))
    return unknown, missing


def _gaps(scene: Scene, of: Instrument, stored: Coverage | None) -> Iterator[MissingCandles]:
    """Yield what a series lacks at the beginning and at the end of a scene's span."""
    spans = [(scene.start, scene.end)]
    if stored is not None:
        behind = from_ms(scene.interval.end_ms(to_ms(stored.last_opened_at)))
        spans = [(scene.start, min(stored.first_opened_at, scene.end))]
        spans += [(max(behind, scene.start), scene.end)]
    for start, end in spans:
        span_ms = to_ms(start), max(to_ms(start), to_ms(end))
        if len(expected_opens_ms(of.calendar, scene.interval, *span_ms)):  # not merely a weekend
            load = _load(scene, of.name, start, end)
            yield MissingCandles(of.name, scene.interval.value, start, end, load)


def _load(scene: Scene, name: str, start: datetime, end: datetime) -> str:
    return load_command(name, scene.interval, instant_text(start), instant_text(end))


def _stored(
    plan: Plan, catalogue: Catalogue, settings: Settings, seen_by: int | None
) -> int | None:
    if plan.runs > MOST_LOOKED_UP or plan.learns:
        return None
    today = {name: provenance(name, None, catalogue) for name in catalogue}
    found = 0
    for runs in _batched(plan.expand(), LOOKED_UP_AT_ONCE):
        with transaction(settings) as connection:
            found += finder.count(connection, runs, today, seen_by=seen_by)
    return found


def _batched(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    iterator = iter(items)
    while part := list(itertools.islice(iterator, size)):
        yield part

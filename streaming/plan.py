"""Query 1: a scene becomes chunks of runs; what is stored is answered, what is wrong is refused.

Order of writes, so that a kill between any two of them loses nothing: commit ops.scene → send
chunks, stored answers and `planned` → flush → set planned_at → `recorded`, where some answers
were stored → checkpoint.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from backtests.simulate import error_message
from backtests.strategies import CATALOGUE
from backtests.strategy import Catalogue
from mela.errors import RejectionCode, SceneInvalid
from mela.grid import Plan, plan_runs
from mela.instrument import Instrument, load_command
from mela.interval import Interval
from mela.market_checks import check_markets
from mela.messages import MessagePosition, Progress, State
from mela.run import instant_text
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from mela.training import check_kind
from messaging.publisher import Publisher
from streaming import strategies
from streaming.admission import Admission
from streaming.pinning import Pin, as_it_is, pinned_for_good
from streaming.poison import is_away
from streaming.record import send_progress
from streaming.scene_document import read_document, read_id, refuse_nul
from streaming.slices import chunks_of, send_slice, slices
from streaming.trainings import asks_for_training, plan_training
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.results import finder as results
from warehouse.scenes import records as scenes
from warehouse.scenes import stages
from warehouse.scenes.stages import Stage

log = structlog.get_logger()
HandOver = Callable[["SceneMessage", "SceneRequest", Catalogue], bool]
Asked = tuple["SceneMessage", "SceneRequest"]


class SceneMessage(NamedTuple):
    """A message of `mela.scenes` as it came; published_at: when Kafka got it, where known."""

    value: bytes | None
    source: MessagePosition
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """The reading of a message: a valid scene, or why it was refused.

    scene_id: None where not even the id could be read
    document: None where it is not an object that the warehouse could keep
    scene: as it is planned, its models pinned; content_hash: of what was published
    """

    scene_id: UUID | None
    document: Mapping[str, Any] | None = None
    scene: Scene | None = None
    plan: Plan | None = None
    content_hash: str = ""
    refused: SceneInvalid | None = None

    @property
    def accepted_id(self) -> UUID:
        """Return the id of a scene that was not refused."""
        assert self.scene_id is not None  # noqa: S101  what is not refused is whole
        return self.scene_id

    @property
    def accepted_plan(self) -> Plan:
        """Return the plan of a scene that was not refused."""
        assert self.plan is not None  # noqa: S101  what is not refused is whole
        return self.plan


def read_scene(
    message: SceneMessage,
    settings: Settings,
    catalogue: Catalogue = CATALOGUE,
    pin: Pin = as_it_is,
) -> SceneRequest:
    """Return what a message asks for.

    pin: gives the scene that is planned. Only that asks services, and a model that nobody has here
    yet; raises where one of these is away, and nothing else
    """
    scene_id, document = None, None
    try:
        document = read_document(message.value or b"", settings.kafka.max_message_bytes)
        scene_id = read_id(document, message.source)
        refuse_nul(document)
        check_kind(document)
        published = parse_scene(document)
        scene = pin(scene_id, published)
        plan = plan_runs(scene, catalogue, max_runs=settings.max_runs)
    except SceneInvalid as refused:
        return SceneRequest(scene_id, document, refused=refused)
    except Exception as error:  # one strange scene must not stop all others
        if is_away(error):
            raise
        log.exception("scene_not_understood", source=message.source.key)
        sentence = f"this scene could not be understood ({type(error).__name__})."
        return SceneRequest(
            scene_id, refused=SceneInvalid(RejectionCode.INVALID_FIELD, None, sentence)
        )
    return SceneRequest(scene_id, document, scene, plan, published.content_hash())


def plan_scenes(
    messages: Sequence[SceneMessage],
    settings: Settings,
    publisher: Publisher,
    hand_over: HandOver = lambda *_: False,
) -> None:
    """Plan scenes to the end, or refuse them. May be repeated. Raises where a service is away.

    Many are planned together, because asking the warehouse and Kafka costs more than planning one.
    hand_over: takes a scene that is to be planned elsewhere, and tells whether it did
    """
    taken_at = datetime.now(UTC)
    for one in messages:
        if asks_for_training(one.value):
            plan_training(one.value or b"", one.source, one.published_at, settings, publisher)
    messages = [one for one in messages if not asks_for_training(one.value)]
    catalogue = strategies.current(settings)
    pin = partial(pinned_for_good, settings=settings)
    requests = [(one, read_scene(one, settings, catalogue, pin)) for one in messages]
    requests = _refuse_what_instruments_forbid(requests, settings)
    accepted: dict[UUID, SceneRequest] = {}
    for message, request in requests:
        if request.refused is not None:
            _refuse(request, message, settings, publisher)
    received, turned_away = _received(requests, taken_at, settings)
    for message, request in turned_away:
        _refuse(request, message, settings, publisher)
    for message, request, receipt in received:
        scene_id = request.accepted_id
        if receipt.outcome is scenes.PublicationStatus.ID_CONFLICT:
            _refuse_reused(message, scene_id, publisher)
        elif receipt.planned_at and not receipt.cancelled_at:
            # all was done, but perhaps for saying so
            send_progress({str(scene_id)}, settings, publisher)
        elif not receipt.cancelled_at and not hand_over(message, request, catalogue):
            accepted[scene_id] = request
    if accepted:
        chunks = itertools.chain.from_iterable(
            chunks_of(one.accepted_plan, str(scene_id), settings)
            for scene_id, one in accepted.items()
        )
        for part in slices(chunks, settings):
            send_slice(part, settings, publisher, catalogue)
        send_planned(list(accepted.values()), settings, publisher)


def _received(
    requests: Iterable[Asked], taken_at: datetime, settings: Settings
) -> tuple[list[tuple[SceneMessage, SceneRequest, scenes.Receipt]], list[Asked]]:
    """Record scenes that hold, in the order of their ids, so that two planners cannot deadlock.

    Returns them, and those that their owners' quotas do not allow, refused.
    """
    sound = [one for one in requests if one[1].refused is None]
    found: list[tuple[SceneMessage, SceneRequest, scenes.Receipt]] = []
    turned_away: list[Asked] = []
    with transaction(settings) as connection:
        admission = Admission(connection, [one.accepted_id for _, one in sound], settings)
        for message, request in sorted(sound, key=lambda one: str(one[1].scene_id)):
            scene, plan = request.scene, request.accepted_plan
            assert scene is not None  # noqa: S101  what is not refused is whole
            grid = scene.search is not None
            if refused := admission.refusal(request.accepted_id, plan.runs, has_search=grid):
                turned_away.append((message, replace(request, refused=refused)))
                continue
            receipt = scenes.receive(
                connection,
                request.accepted_id,
                scene.content(),
                request.content_hash,
                runs=plan.runs,
                skipped=plan.skipped,
                name=scene.name,
                origin=message.source,
            )
            found.append((message, request, receipt))
        admission.claim()
        new = [
            (message, request.accepted_id)
            for message, request, receipt in found
            if receipt.outcome is not scenes.PublicationStatus.ID_CONFLICT
        ]
        stages.note(
            connection,
            [
                *((scene_id, Stage.TAKEN, taken_at) for _, scene_id in new),
                *(
                    (scene_id, Stage.PUBLISHED, message.published_at)
                    for message, scene_id in new
                    if message.published_at
                ),
            ],
        )
    return found, turned_away


def _refuse_reused(message: SceneMessage, scene_id: UUID, publisher: Publisher) -> None:
    sentence = "this id was used by a scene with other content; publish under a new id."
    refused = SceneInvalid(RejectionCode.SCENE_ID_REUSED, "scene_id", sentence)
    publisher.rejected(message.value, message.source, refused)
    publisher.flush()
    log.warning("scene_id_reused", scene_id=str(scene_id))


def send_planned(
    requests: Sequence[SceneRequest], settings: Settings, publisher: Publisher
) -> None:
    """Say and record that all runs of some scenes were sent. Raises where a service is away."""
    publisher.flush()
    with transaction(settings) as connection:
        counted = results.progress(connection, [one.accepted_id for one in requests])
    cached = {scene.scene_id: scene.cached for scene in counted}
    for request in requests:
        plan = request.accepted_plan
        publisher.progress(
            Progress(
                scene_id=request.accepted_id,
                state=State.PLANNED,
                at=datetime.now(UTC),
                runs=plan.runs,
                skipped=plan.skipped,
                cached=cached[str(request.accepted_id)],
            )
        )
    publisher.flush()
    with transaction(settings) as connection:
        scenes.set_all_planned(connection, cached)
    send_progress({name for name, count in cached.items() if count}, settings, publisher)
    for request in requests:
        scene_id = str(request.accepted_id)
        runs = request.accepted_plan.runs
        log.info("scene_planned", scene_id=scene_id, runs=runs, cached=cached[scene_id])


def give_up(
    message: SceneMessage, settings: Settings, publisher: Publisher, error: Exception
) -> None:
    """Refuse a scene that could be read, but not be planned. Raises where a service is away."""
    request = read_scene(message, settings, strategies.current(settings))
    if asks_for_training(message.value):  # it is none of the scenes that `read_scene` knows
        request = replace(request, refused=None)
    sentence = f"this scene could not be planned ({': '.join(error_message(error))})."
    refused = SceneInvalid(RejectionCode.INVALID_FIELD, None, sentence)
    request = replace(request, refused=request.refused or refused)
    _refuse(request, message, settings, publisher, given_up=True)


def _refuse(
    request: SceneRequest,
    message: SceneMessage,
    settings: Settings,
    publisher: Publisher,
    *,
    given_up: bool = False,
) -> None:
    refused = request.refused
    assert refused is not None  # noqa: S101
    # The warehouse first: whoever reads the letter may ask for the scene at once.
    is_its_own = False
    if request.scene_id is not None:
        with transaction(settings) as connection:
            is_its_own = scenes.reject(
                connection,
                request.scene_id,
                request.document,
                code=refused.code,
                field=refused.field,
                sentence=refused.sentence,
                origin=message.source,
                given_up=given_up,
            )
    publisher.rejected(message.value, message.source, refused)
    if is_its_own:
        assert request.scene_id is not None  # noqa: S101
        publisher.progress(
            Progress(
                scene_id=request.scene_id,
                state=State.REJECTED,
                at=datetime.now(UTC),
                code=refused.code,
                field=refused.field,
                sentence=refused.sentence,
            )
        )
    publisher.flush()
    log.warning("scene_rejected", source=message.source.key, code=refused.code, field=refused.field)


def _refuse_what_instruments_forbid(requests: Sequence[Asked], settings: Settings) -> list[Asked]:
    """Refuse instruments that are not in the warehouse, and what they do not allow."""
    read = [
        {} if request.refused is not None else _instruments_of(request) for _, request in requests
    ]
    names = {name for one in read for name in one}
    if not names:
        return list(requests)
    with transaction(settings) as connection:
        known = instruments.known(connection, names)
    return [
        (message, request if request.refused else _checked(request, mine, known))
        for (message, request), mine in zip(requests, read, strict=True)
    ]


def _instruments_of(request: SceneRequest) -> dict[str, tuple[str, Interval]]:
    """Return what a scene reads: instrument → the field that names it, and the interval."""
    scene = request.scene
    assert scene is not None  # noqa: S101  what is not refused is whole
    read = {
        name: (f"instruments.{at}", scene.interval) for at, name in enumerate(scene.instruments)
    }
    for field, one in request.accepted_plan.inputs:
        if one.instrument is not None:
            read.setdefault(one.instrument, (field, one.interval or scene.interval))
    return read


def _checked(
    request: SceneRequest,
    read: Mapping[str, tuple[str, Interval]],
    known: Mapping[str, Instrument],
) -> SceneRequest:
    scene, plan = request.scene, request.accepted_plan
    assert scene is not None  # noqa: S101  what is not refused is whole
    for name, (field, interval) in read.items():
        if name not in known:
            sentence = f"no candles of {name} were ever loaded. Load them first: " + load_command(
                name, interval, instant_text(scene.start), instant_text(scene.end)
            )
            refused = SceneInvalid(RejectionCode.UNKNOWN_INSTRUMENT, field, sentence)
            return SceneRequest(request.scene_id, request.document, refused=refused)
    try:
        mine = {name: known[name] for name in read}
        check_markets(scene, mine, has_free_shorts=plan.has_free_shorts)
    except SceneInvalid as refused:
        return SceneRequest(request.scene_id, request.document, refused=refused)
    return request

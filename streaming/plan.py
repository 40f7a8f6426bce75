"""Query 1: a scene becomes chunks of runs; what is stored is answered, what is wrong is refused.

Order of writes, so that a kill between any two of them loses nothing: commit ops.scene → send
chunks, stored answers and `planned` → flush → set planned_at → checkpoint.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import orjson
import structlog

from backtests.simulate import error_message, provenance
from backtests.strategies import CATALOGUE
from backtests.strategy import Catalogue
from mela.errors import RejectionCode, SceneInvalid
from mela.grid import Plan, plan_runs
from mela.instrument import load_command
from mela.market_checks import check_markets
from mela.messages import MessagePosition, Progress, RunChunk, State
from mela.repeated_keys import repeated_key
from mela.run import Run, instant_text
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from messaging.publisher import Publisher
from streaming import checking, strategies
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.results import finder as results
from warehouse.scenes import records as scenes

log = structlog.get_logger()
A = TypeVar("A")
B = TypeVar("B")
LOOKUPS_AHEAD = 2
LOOKUP_CHUNKS = 8  # chunks whose runs are looked up in the warehouse at once
NUL = "\x00"
MOST_LEVELS = 32  # of a scene: it needs seven


class SceneMessage(NamedTuple):
    """A message of `mela.scenes` as it came."""

    value: bytes | None
    source: MessagePosition


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """What could be read of a message: a scene that holds, or why it was refused.

    scene_id: None where not even the id could be read
    document: None where it is not an object that the warehouse could keep
    """

    scene_id: UUID | None
    document: Mapping[str, Any] | None = None
    scene: Scene | None = None
    plan: Plan | None = None
    refused: SceneInvalid | None = None


def read_scene(
    message: SceneMessage, settings: Settings, catalogue: Catalogue = CATALOGUE
) -> SceneRequest:
    """Return what a message asks for. Pure: only what needs no service is checked; never raises."""
    scene_id, document = None, None
    try:
        document = _read_document(message.value or b"", settings.kafka.max_message_bytes)
        scene_id = _read_id(document, message.source)
        _refuse_nul(document)
        scene = parse_scene(document)
        plan = plan_runs(scene, catalogue, max_runs=settings.max_runs)
    except SceneInvalid as refused:
        return SceneRequest(scene_id, document, refused=refused)
    except Exception as error:  # one strange scene must not stop all others
        log.exception("scene_not_understood", source=message.source.key)
        sentence = f"this scene could not be understood ({type(error).__name__})."
        return SceneRequest(
            scene_id, refused=SceneInvalid(RejectionCode.INVALID_FIELD, None, sentence)
        )
    return SceneRequest(scene_id, document, scene, plan)


def plan_scene(message: SceneMessage, settings: Settings, publisher: Publisher) -> None:
    """Plan one scene to the end, or refuse it. May be repeated. Raises where a service is away."""
    catalogue = strategies.current(settings)
    request = read_scene(message, settings, catalogue)
    if request.refused is None and request.scene is not None:
        request = _refuse_what_instruments_forbid(request, settings)
    if request.refused is not None:
        _refuse(request, message, settings, publisher)
        return
    assert request.scene_id is not None  # noqa: S101  what is not refused is whole
    assert request.scene is not None  # noqa: S101
    assert request.plan is not None  # noqa: S101
    with transaction(settings) as connection:
        receipt = scenes.receive(
            connection,
            request.scene_id,
            request.scene.content(),
            request.scene.content_hash(),
            runs=request.plan.runs,
            skipped=request.plan.skipped,
            name=request.scene.name,
            origin=message.source,
        )
    if receipt.outcome is scenes.PublicationStatus.ID_CONFLICT:
        sentence = "this id was used by a scene with other content; publish under a new id."
        refused = SceneInvalid(RejectionCode.SCENE_ID_REUSED, "scene_id", sentence)
        publisher.rejected(message.value, message.source, refused)
        publisher.flush()
        log.warning("scene_id_reused", scene_id=str(request.scene_id))
        return
    if receipt.planned_at or receipt.cancelled_at:  # all was done, or nothing is wanted
        return
    cached = _send_runs(request.scene_id, request.plan, settings, publisher, catalogue)
    publisher.progress(
        Progress(
            scene_id=request.scene_id,
            state=State.PLANNED,
            at=datetime.now(UTC),
            runs=request.plan.runs,
            skipped=request.plan.skipped,
            cached=cached,
        )
    )
    publisher.flush()
    with transaction(settings) as connection:
        scenes.set_planned(connection, request.scene_id, cached=cached)
    log.info("scene_planned", scene_id=str(request.scene_id), runs=request.plan.runs, cached=cached)


def give_up(
    message: SceneMessage, settings: Settings, publisher: Publisher, error: Exception
) -> None:
    """Refuse a scene that could be read, but not be planned. Raises where a service is away."""
    request = read_scene(message, settings, strategies.current(settings))
    sentence = f"this scene could not be planned ({': '.join(error_message(error))})."
    refused = SceneInvalid(RejectionCode.INVALID_FIELD, None, sentence)
    request = replace(request, refused=request.refused or refused)
    _refuse(request, message, settings, publisher, given_up=True)


def chunk_runs(
    runs: Iterable[Run], scene_id: str, *, size: int, max_bytes: int
) -> Iterator[RunChunk]:
    """Split runs into numbered chunks of one candle series, bounded in runs and in bytes."""
    number = itertools.count()
    for _, series in itertools.groupby(runs, key=lambda run: (run.instrument, run.interval)):
        for part in batched(series, size):
            for piece in _bounded(part, scene_id, max_bytes):
                yield RunChunk(scene_id, next(number), piece)


def _send_runs(
    scene_id: UUID, plan: Plan, settings: Settings, publisher: Publisher, catalogue: Catalogue
) -> int:
    """Send stored answers to mela.results, other runs to mela.runs; return how many were stored."""
    chunks = chunk_runs(
        plan.expand(),
        str(scene_id),
        size=settings.spark.chunk_runs,
        max_bytes=settings.kafka.max_message_bytes // 2,
    )
    made_with = {name: provenance(name, None, catalogue) for name in catalogue}

    def look_up(part: Sequence[RunChunk]) -> dict[str, bytes]:
        runs = [run for chunk in part for run in chunk.runs]
        with transaction(settings) as connection:
            return results.find(connection, runs, made_with, scene_id)

    cached = 0
    for part, stored in ahead(look_up, batched(chunks, LOOKUP_CHUNKS)):
        for run_key, document in stored.items():
            publisher.result(str(scene_id), run_key, document)
        for chunk in part:
            missing = tuple(run for run in chunk.runs if run.run_key not in stored)
            if missing:
                digests = {run.strategy: made_with[run.strategy].strategy_digest for run in missing}
                publisher.chunk(chunk._replace(runs=missing, digests=digests))
                checking.want(digests)
        cached += len(stored)
    return cached


def ahead(work: Callable[[A], B], items: Iterable[A]) -> Iterator[tuple[A, B]]:
    """Yield each item with its work, in order, done some items ahead: Postgres works meanwhile."""
    with ThreadPoolExecutor(max_workers=LOOKUPS_AHEAD) as pool:
        coming: deque[tuple[A, Future[B]]] = deque()
        for item in items:
            coming.append((item, pool.submit(work, item)))
            if len(coming) > LOOKUPS_AHEAD:
                before, done = coming.popleft()
                yield before, done.result()
        for before, done in coming:
            yield before, done.result()


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


def _read_document(raw: bytes, limit: int) -> Mapping[str, Any]:
    if len(raw) > limit:
        sentence = f"a scene has at most {limit:,} bytes, but this one has {len(raw):,}."
        raise SceneInvalid(RejectionCode.TOO_LARGE, None, sentence)
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise SceneInvalid(RejectionCode.NOT_JSON, None, f"expected JSON, but {error}.") from error
    if not isinstance(document, dict):
        parse_scene(document)  # raises with the kind that it is
    if _is_deeper(document, MOST_LEVELS):
        sentence = f"expected at most {MOST_LEVELS} levels of lists and objects, but found more."
        raise SceneInvalid(RejectionCode.INVALID_FIELD, None, sentence)
    if again := repeated_key(raw):
        sentence = "expected this key once in its object, but found it again. Leave one out."
        raise SceneInvalid(RejectionCode.INVALID_FIELD, again, sentence)
    return document


def _is_deeper(document: Mapping[str, Any] | list[Any], most: int) -> bool:
    """Tell whether a document has more levels, level by level: recursion would end with the stack.

    >>> _is_deeper({"a": [1]}, 2), _is_deeper({"a": [[1]]}, 2)
    (False, True)
    """
    level: list[Any] = [document]
    for _ in range(most):
        parts = (one.values() if isinstance(one, dict) else one for one in level)
        level = [each for part in parts for each in part if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def _read_id(document: Mapping[str, Any], source: MessagePosition) -> UUID:
    stated = document.get("scene_id")
    if stated is None:
        return source.scene_id
    try:
        return UUID(stated)
    except (ValueError, AttributeError, TypeError) as error:
        sentence = f"expected a UUID, but found {stated!r:.100}."
        raise SceneInvalid(RejectionCode.INVALID_FIELD, "scene_id", sentence) from error


def _refuse_nul(document: Mapping[str, Any]) -> None:
    for name, value in document.items():
        if _has_nul(name) or _has_nul(value):
            sentence = "expected text without the character U+0000, but found it."
            field = name.replace(NUL, "\\u0000")
            raise SceneInvalid(RejectionCode.INVALID_FIELD, field, sentence)


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return NUL in value
    if isinstance(value, Mapping):
        return any(_has_nul(name) or _has_nul(part) for name, part in value.items())
    return isinstance(value, list) and any(_has_nul(part) for part in value)


def _refuse_what_instruments_forbid(request: SceneRequest, settings: Settings) -> SceneRequest:
    """Refuse instruments that are not in the warehouse, and what they do not allow."""
    scene, plan = request.scene, request.plan
    assert scene is not None  # noqa: S101
    assert plan is not None  # noqa: S101
    read = {
        name: (f"instruments.{at}", scene.interval) for at, name in enumerate(scene.instruments)
    }
    for field, one in plan.inputs:
        if one.instrument is not None:
            read.setdefault(one.instrument, (field, one.interval or scene.interval))
    with transaction(settings) as connection:
        known = instruments.known(connection, list(read))
    for name, (field, interval) in read.items():
        if name not in known:
            sentence = f"no candles of {name} were ever loaded. Load them first: " + load_command(
                name, interval, instant_text(scene.start), instant_text(scene.end)
            )
            refused = SceneInvalid(RejectionCode.UNKNOWN_INSTRUMENT, field, sentence)
            return SceneRequest(request.scene_id, request.document, refused=refused)
    try:
        check_markets(scene, known, has_free_shorts=plan.has_free_shorts)
    except SceneInvalid as refused:
        return SceneRequest(request.scene_id, request.document, refused=refused)
    return request


def batched(items: Iterable[A], size: int) -> Iterator[tuple[A, ...]]:
    """Yield tuples of `size` items, the last one perhaps smaller."""
    iterator = iter(items)
    while part := tuple(itertools.islice(iterator, size)):
        yield part


def _bounded(runs: Sequence[Run], scene_id: str, max_bytes: int) -> Iterator[Sequence[Run]]:
    if len(runs) == 1 or len(RunChunk(scene_id, 0, runs).to_bytes()) <= max_bytes:
        yield runs
        return
    half = len(runs) // 2
    yield from _bounded(runs[:half], scene_id, max_bytes)
    yield from _bounded(runs[half:], scene_id, max_bytes)

"""Query 3: results become rows, once each however often they come; scenes are counted to their end.

Order of writes: insert where absent → commit → for every scene in the batch, new rows or not, send
`recorded` counted from the tables → checkpoint.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import structlog
from pydantic import BaseModel, ValidationError

from mela.errors import MessageInvalid, RejectionCode
from mela.messages import Progress, Source, State
from mela.result import Result, StrategyNamed
from mela.run import Costs, Entry, Exits, Sizing
from mela.scene import field_path, said
from mela.settings import Settings
from streaming.clients import publisher_of
from streaming.publish import Publisher
from warehouse import results
from warehouse.database import transaction

log = structlog.get_logger()


class ResultMessage(NamedTuple):
    """A message of `mela.results` as it came."""

    value: bytes | None
    source: Source


def record_results(messages: Iterable[ResultMessage], settings: Settings) -> set[str]:
    """Store results where absent; return the scenes they belong to. May be repeated.

    What cannot be read, or belongs to no scene, goes to mela.rejected. Raises where a service is
    away.
    """
    publisher = publisher_of(settings)
    read: dict[tuple[str | None, str], tuple[ResultMessage, dict[str, Any]]] = {}
    for message in messages:
        try:
            document = read_result(message.value)
        except MessageInvalid as refused:
            publisher.rejected(message.value, message.source, refused)
        else:  # of messages with one key the first counts
            read.setdefault((document["scene_id"], document["run_key"]), (message, document))
    with transaction(settings) as connection:
        refusals = results.save(connection, [document for _, document in read.values()])
    for refusal in refusals:
        message, _ = read.pop((refusal.scene_id, refusal.run_key))
        refused = MessageInvalid(RejectionCode.INVALID_FIELD, None, refusal.sentence)
        publisher.rejected(message.value, message.source, refused)
        log.warning("result_rejected", source=message.source.key, why=refusal.sentence)
    publisher.flush()
    return {scene_id for scene_id, _ in read if scene_id}


class _Shared(BaseModel):
    """What the results of a grid mostly have in common. It takes longer to read than the rest."""

    strategy: StrategyNamed
    costs: Costs
    sizing: Sizing
    entry: Entry
    exits: Exits


_SHARED = tuple(_Shared.model_fields)


@lru_cache(maxsize=1024)
def _shared(parts: bytes) -> dict[str, Any]:
    """Return the validated parts of some results. Raises ValidationError."""
    return dict(_Shared.model_validate_json(parts))


def read_result(raw: bytes | None) -> dict[str, Any]:
    """Return a validated result document. Raises MessageInvalid."""
    raw = raw or b""
    try:
        document = orjson.loads(raw)
        known = _shared(orjson.dumps({name: document[name] for name in _SHARED}))
        Result.model_validate({**document, **known})
    except (ValueError, TypeError, KeyError):
        return _read_whole(raw)
    return document


def _read_whole(raw: bytes) -> dict[str, Any]:
    """Return a validated result document, or say which field of it is wrong."""
    try:
        Result.model_validate_json(raw)
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:  # NaN, which the model would take
        sentence = f"expected JSON, but {error}."
        raise MessageInvalid(RejectionCode.NOT_JSON, None, sentence) from error
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        is_json = fault["type"] != "json_invalid"
        code = RejectionCode.INVALID_FIELD if is_json else RejectionCode.NOT_JSON
        raise MessageInvalid(code, field_path(fault), said(fault)) from error


def send_progress(scene_ids: Collection[str], settings: Settings, publisher: Publisher) -> None:
    """Send for each scene how many of its runs are recorded, counted from the tables."""
    if not scene_ids:
        return
    with transaction(settings) as connection:
        counted = results.progress(connection, sorted(scene_ids))
    for scene in counted:
        publisher.progress(
            Progress(
                scene_id=UUID(str(scene.scene_id)),
                state=State.RECORDED,
                at=datetime.now(UTC),
                runs=scene.runs,
                recorded=scene.recorded,
                cached=scene.cached,
            )
        )
        log.info("scene_recorded", scene_id=str(scene.scene_id), n=scene.recorded, of=scene.runs)
    publisher.flush()

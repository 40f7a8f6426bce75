"""Query 3: results become rows, once each however often they come; scenes are counted to their end.

Order of writes: insert where absent → commit → for every scene in the batch, new rows or not, send
`recorded` counted from the tables → checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import structlog
from pydantic import ValidationError

from backtests.simulate import error_message
from mela.errors import MessageInvalid, RejectionCode
from mela.messages import MessagePosition, Progress, State
from mela.metrics import METRICS, WHOLE
from mela.result import OWN, Result
from mela.scene import fault_sentence, field_path
from mela.settings import Settings
from messaging.publisher import Publisher, publisher_of
from streaming.poison import is_away
from warehouse.database import transaction
from warehouse.results import finder as results

log = structlog.get_logger()


class ResultMessage(NamedTuple):
    """A message of `mela.results` as it came."""

    value: bytes | None
    source: MessagePosition


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
    for refusal in _saved([document for _, document in read.values()], settings):
        message, _ = read.pop((refusal.scene_id, refusal.run_key))
        refused = MessageInvalid(RejectionCode.INVALID_FIELD, None, refusal.sentence)
        publisher.rejected(message.value, message.source, refused)
        log.warning("result_rejected", source=message.source.key, why=refusal.sentence)
    publisher.flush()
    return {scene_id for scene_id, _ in read if scene_id}


def _saved(
    documents: Sequence[dict[str, Any]], settings: Settings
) -> list[results.UnstorableResult]:
    """Store results; return those that cannot be. One that breaks its batch is found by halves."""
    try:
        with transaction(settings) as connection:
            return results.save(connection, documents)
    except Exception as error:
        if is_away(error):
            raise
        if len(documents) == 1:
            log.exception("result_not_understood")
            sentence = f"this result could not be stored ({': '.join(error_message(error))})."
            [one] = documents
            return [results.UnstorableResult(one["scene_id"], one["run_key"], sentence)]
    half = len(documents) // 2
    return _saved(documents[:half], settings) + _saved(documents[half:], settings)


_WHOLE = tuple(name for name in METRICS if name in WHOLE)
_REAL = tuple(name for name in METRICS if name not in WHOLE)
_SHARED = tuple(name for name in Result.model_fields if name not in OWN)
_whole_of, _real_of, _shared_of = itemgetter(*_WHOLE), itemgetter(*_REAL), itemgetter(*_SHARED)
_REAL_TYPES, _WHOLE_TYPES = {float, int, type(None)}, {int, type(None)}
_KEY = re.compile("[0-9a-f]{64}").fullmatch
_BLOCKS = re.compile("[A-Za-z0-9+/]{512}").fullmatch


def read_result(raw: bytes | None) -> dict[str, Any]:
    """Return a validated result document. Raises MessageInvalid.

    Validating each field of each result by the model would take longer than the run itself. The
    fields that the results of a grid share are validated by the model once for each combination of
    values; a result's own fields are checked here. Any document that these checks do not accept
    goes to the model, which accepts it or names the wrong field.
    """
    raw = raw or b""
    try:
        document = orjson.loads(raw)
        if len(document) == len(Result.model_fields) and _is_right(document):
            return document
    except (ValueError, TypeError, KeyError):  # the model finds the words
        pass
    return _read_whole(raw)


def _is_right(document: dict[str, Any]) -> bool:
    """Tell whether a document with as many fields as a result is one. Raises for other shapes."""
    blocks, key = document["blocks"], document["result_key"]
    return (
        _REAL_TYPES.issuperset(map(type, _real_of(document)))
        and _WHOLE_TYPES.issuperset(map(type, _whole_of(document)))
        and type(document["params"]) is dict
        and _KEY(document["run_key"]) is not None
        and (key is None or _KEY(key) is not None)
        and (blocks is None or _BLOCKS(blocks) is not None)
        and _are_valid(orjson.dumps(_shared_of(document)))
    )


@lru_cache(maxsize=1024)
def _are_valid(shared: bytes) -> bool:
    """Validate the shared fields of a result, as a JSON list in the order of `_SHARED`."""
    fields: dict[str, Any] = dict(zip(_SHARED, orjson.loads(shared), strict=True))
    own: dict[str, Any] = dict.fromkeys(METRICS)
    Result.model_validate({**fields, **own, "run_key": "0" * 64, "result_key": None, "params": {}})
    return True


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
        raise MessageInvalid(code, field_path(fault), fault_sentence(fault)) from error


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
                cancelled=scene.cancelled or None,
            )
        )
        log.info("scene_recorded", scene_id=str(scene.scene_id), n=scene.recorded, of=scene.runs)
    publisher.flush()

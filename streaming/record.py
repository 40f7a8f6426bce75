"""Query 3: results become rows, once each however often they come; scenes are counted to their end.

Order of writes: insert where absent → commit → for every scene in the batch, new rows or not, send
`recorded` counted from the tables → checkpoint.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import structlog

from backtests.simulate import error_message
from mela.errors import MessageInvalid, RejectionCode
from mela.messages import MessagePosition, Progress, State
from mela.result_columns import ResultColumns
from mela.settings import Settings
from messaging.columns import from_arrow
from messaging.publisher import Publisher, publisher_of
from streaming.poison import is_away
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import stages
from warehouse.scenes.stages import Stage

log = structlog.get_logger()
ROWS_AT_ONCE = 8_000  # in a transaction: a worker has all of them in memory several times


class ResultMessage(NamedTuple):
    """A message of `mela.chunk_results` as it came."""

    value: bytes | None
    source: MessagePosition


def record_results(messages: Sequence[ResultMessage], settings: Settings) -> set[str]:
    """Store results where absent; return the scenes they belong to. May be repeated.

    A message that cannot be read goes to mela.rejected; so does one of which some results cannot
    be stored, and its other results are stored. Raises where a service is away.
    """
    publisher = publisher_of(settings)
    parts: list[ResultColumns] = []
    sources: list[ResultMessage] = []
    for message in messages:
        try:
            parts.append(from_arrow(message.value))
        except MessageInvalid as refused:
            _refuse(message, refused, publisher)
        except Exception as error:
            log.exception("results_not_understood", source=message.source.key)
            sentence = f"these results could not be read ({': '.join(error_message(error))})."
            odd = MessageInvalid(RejectionCode.INVALID_FIELD, None, sentence)
            _refuse(message, odd, publisher)
        else:
            sources.append(message)
    faults = [
        fault
        for first, last in together([len(part) for part in parts])
        for fault in _saved(parts[first:last], settings, first)
    ]
    refused_rows: dict[int, list[int]] = {}
    for fault in faults:
        rows = refused_rows.setdefault(fault.part, [])
        if not rows:  # one letter has the whole message
            refused = MessageInvalid(
                RejectionCode.INVALID_FIELD, f"results.{fault.row}", fault.sentence
            )
            _refuse(sources[fault.part], refused, publisher)
        rows.append(fault.row)
    publisher.flush()
    return {
        part.scene_id
        for place, part in enumerate(parts)
        if len(refused_rows.get(place, ())) < len(part)
    }


def _refuse(message: ResultMessage, refused: MessageInvalid, publisher: Publisher) -> None:
    publisher.rejected(message.value, message.source, refused)
    log.warning("results_rejected", source=message.source.key, why=refused.sentence)


def together(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield places of parts that are stored together: (the first, the one behind the last)."""
    first, rows = 0, 0
    for place, size in enumerate(sizes):
        if rows and rows + size > ROWS_AT_ONCE:
            yield first, place
            first, rows = place, 0
        rows += size
    if rows:
        yield first, len(sizes)


def _saved(
    parts: Sequence[ResultColumns], settings: Settings, first: int = 0
) -> list[results.UnstorableRow]:
    """Store results; return those that cannot be. A part that breaks the rest is found by halves.

    first: the place of the first part
    """
    if not parts:
        return []
    try:
        with transaction(settings) as connection:
            faults = results.save_columns(connection, parts)
    except Exception as error:
        if is_away(error):
            raise
        if len(parts) == 1:
            log.exception("results_not_understood")
            sentence = f"these results could not be stored ({': '.join(error_message(error))})."
            return [results.UnstorableRow(first, row, sentence) for row in range(len(parts[0]))]
        half = len(parts) // 2
        later = _saved(parts[half:], settings, first + half)
        return _saved(parts[:half], settings, first) + later
    return [fault._replace(part=first + fault.part) for fault in faults]


def send_progress(scene_ids: Collection[str], settings: Settings, publisher: Publisher) -> None:
    """Send for each scene how many of its runs are recorded, counted from the tables."""
    if not scene_ids:
        return
    with transaction(settings) as connection:
        counted = results.progress(connection, sorted(scene_ids))
        whole = [scene.scene_id for scene in counted if scene.recorded == scene.runs]
        stages.reached(connection, whole, {Stage.RECORDED: None})
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

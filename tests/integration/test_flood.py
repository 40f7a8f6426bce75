"""A flood of hostile messages on every topic of the platform stops no query and no scene."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from confluent_kafka import Message, Producer

import stack
from backtests.strategies import CATALOGUE
from mela.errors import MessageInvalid
from mela.grid import plan_runs
from mela.messages import (
    CHUNK_RESULTS,
    PROGRESS,
    REJECTED,
    RUNS,
    SCENES,
    MessagePosition,
    Rejection,
    RunChunk,
    State,
)
from mela.result_columns import columns_of
from mela.scene import Scene
from mela.settings import Settings
from messaging.codec import decode_rejected, original_of
from messaging.columns import from_arrow, to_arrow
from messaging.consumer import poll, tail
from messaging.topics import MAX_BROKER_BYTES
from services.scenes.follow import Follower
from tests.hostile.columns import in_columns
from tests.hostile.generator import NAMES, Hostile, hostile
from tests.integration.asking import ONE, answers, grid, publish, scene_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
SEED = 1_130
COUNTS = {SCENES: 150, RUNS: 450, CHUNK_RESULTS: 450, PROGRESS: 450}
GOOD = 6  # scenes that nothing is wrong with, between the others
MOST_BYTES = MAX_BROKER_BYTES // 2  # what every topic takes


class Sent(NamedTuple):
    """A message that Kafka has: where, and what it is."""

    position: MessagePosition
    value: bytes | None


def test_a_flood_on_every_topic_stops_no_query_and_no_scene(platform: Settings) -> None:
    first = scene_of(search=grid(2, 2))
    assert publish(first, platform).state is State.FINISHED
    flood = list(flood_of(first, answers(first.scene_id, platform)))
    good = [scene_of(search=grid(2, 3)) for _ in range(GOOD)]

    letters = tail(platform, REJECTED)
    with Follower(platform, [scene.scene_id for scene in good]) as follower:
        sent = pour(flood, good, platform)
        for _ in follower.messages(silence_s=120):
            pass
    assert len(sent) == sum(COUNTS.values())
    for scene in good:
        assert {one["status"] for one in answers(scene.scene_id, platform)} == {"succeeded"}
    wanted = {one.position: one.value for one in sent if is_nonsense(one)}
    assert len(wanted) > len(sent) // 4
    for letter in read_until(lambda: poll(letters), set(wanted)):
        position = MessagePosition(letter.topic, letter.partition, letter.offset)
        assert original_of(letter) == (wanted.pop(position) or b"")
        assert letter.code in {"not_json", "invalid_field", "too_large", "unsupported_version"}
    letters.close()
    assert not wanted
    [spark] = [one for one in stack.status(platform) if one.name == "spark"]
    assert spark.missing is None, "a query failed"
    assert publish(scene_of(), platform).state is State.FINISHED


def flood_of(scene: Scene, results: list[dict[str, Any]]) -> Iterator[tuple[str, Hostile]]:
    """Yield messages with their topics: of each topic some, mixed."""
    runs = tuple(plan_runs(scene, CATALOGUE, max_runs=100).expand())
    digests = {"sma_cross": CATALOGUE["sma_cross"].digest}
    chunk = json.loads(RunChunk(str(uuid4()), 0, runs, digests).to_bytes())
    said = {"scene_id": str(uuid4()), "at": "2024-01-01T00:00:00Z", "runs": 4}
    valid: dict[str, list[dict[str, Any]]] = {
        SCENES: [ONE, ONE | {"search": grid(2, 2)}],
        RUNS: [chunk],
        CHUNK_RESULTS: results,
        PROGRESS: [said | {"state": "recorded", "recorded": n} for n in (2, 4)],
    }
    each = {
        topic: list(hostile(valid[topic], SEED + place, count))
        for place, (topic, count) in enumerate(COUNTS.items())
    }
    [columns] = columns_of(results[:1])
    each[CHUNK_RESULTS] = [in_columns(one, to_arrow(columns)) for one in each[CHUNK_RESULTS]]
    for number in range(max(COUNTS.values())):
        for topic, some in each.items():
            if number < len(some):
                yield topic, some[number]


def pour(flood: list[tuple[str, Hostile]], good: list[Scene], settings: Settings) -> list[Sent]:
    """Send everything, with hostile keys and headers; return what Kafka took, and where."""
    producer = Producer(
        {"bootstrap.servers": settings.kafka.brokers, "message.max.bytes": MAX_BROKER_BYTES}
    )
    sent: list[Sent] = []

    def delivered(error: object, message: Message) -> None:
        assert error is None
        where = message.topic() or "", message.partition() or 0, message.offset() or 0
        sent.append(Sent(MessagePosition(*where), message.value()))

    scenes = iter(good)
    for number, (topic, (_, value)) in enumerate(flood):
        name = NAMES[number % len(NAMES)].encode(errors="replace")
        value = value if len(value or b"") < MOST_BYTES else (value or b"")[: MOST_BYTES - 1000]
        headers = [(f"h{number}", name), ("", b"\x00" * (number % 500)), ("h", None)]
        producer.produce(
            topic, value, name or None, headers=headers[: number % 4], on_delivery=delivered
        )
        producer.poll(0)
        if number % (len(flood) // GOOD) == GOOD:
            scene = next(scenes)
            body = scene.model_dump_json(by_alias=True, exclude_none=True)
            producer.produce(SCENES, body, str(scene.scene_id))
    assert producer.flush(60) == 0
    return sent


def is_nonsense(sent: Sent) -> bool:
    """Tell whether a message is no table and no JSON object, which no reader takes for one."""
    if sent.position.topic == CHUNK_RESULTS:
        return not _is_table(sent.value)
    try:
        return not isinstance(json.loads(sent.value or b"", parse_constant=_refuse), dict)
    except (ValueError, RecursionError):
        return True


def _is_table(value: bytes | None) -> bool:
    try:
        from_arrow(value)
    except MessageInvalid:
        return False
    return True


def _refuse(word: str) -> None:
    raise ValueError(word)


def read_until(
    next_value: Callable[[], bytes | None], wanted: set[MessagePosition], wait_s: float = 90
) -> Iterator[Rejection]:
    """Yield the letter of each wanted message as it comes, once."""
    give_up_at = time.monotonic() + wait_s
    while wanted and time.monotonic() < give_up_at:
        value = next_value()
        if value is None:
            continue
        letter = decode_rejected(value)
        position = MessagePosition(letter.topic, letter.partition, letter.offset)
        if position in wanted:
            wanted.discard(position)
            yield letter

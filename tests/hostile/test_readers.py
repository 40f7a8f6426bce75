"""Ten thousand hostile messages on each topic: each is refused with the reason, or understood.

The functions that read a message are called as the queries call them, on a real Postgres and a real
Kafka. Whatever they raise fails the test, as it would fail the query.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import pytest
from confluent_kafka import Consumer

from mela.errors import RejectionCode
from mela.messages import (
    CHUNK_RESULTS,
    KEPT_BYTES,
    PROGRESS,
    REJECTED,
    RUNS,
    SCENES,
    MessagePosition,
    Rejection,
)
from mela.result_columns import columns_of
from mela.settings import Settings
from messaging.codec import decode_rejected
from messaging.columns import from_arrow, to_arrow
from messaging.consumer import tail
from messaging.publisher import publisher_of
from streaming.conclude import ProgressMessage, conclude_recorded, recorded_scenes, refuse
from streaming.logs import plain_logs
from streaming.plan import SceneMessage, plan_scenes
from streaming.record import ResultMessage, record_results
from streaming.run import ChunkMessage, run_chunks
from streaming.slices import batched
from tests.hostile import given
from tests.hostile.columns import in_columns
from tests.hostile.generator import Hostile, hostile
from tests.warehouse.given import NAME, answer, load, rows

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
SEED = 20_261_130
# A short one in each run of the tests, ten thousand on each topic where somebody asks for them.
COUNTS = [pytest.param(3_000, id="some"), pytest.param(10_000, id="all", marks=pytest.mark.nightly)]
BATCH = 200  # messages that Spark hands over at once


@pytest.fixture
def settings(warehouse: Settings, streams: Settings) -> Settings:
    plain_logs()
    for name in (NAME, "binance:ETHUSDT"):
        load(warehouse, answer(100.0 + np.sin(np.arange(60.0)), name=name))
    return warehouse.model_copy(update={"kafka": streams.kafka, "max_runs": 200})


class Heard:
    """The letters that come to mela.rejected from its construction on, by the offset they name."""

    def __init__(self, settings: Settings) -> None:
        self._consumer: Consumer = tail(settings, REJECTED)

    def letters(self) -> dict[int, Rejection]:
        """Return the letters that are there now."""
        [partition] = self._consumer.assignment()
        _, end = self._consumer.get_watermark_offsets(partition, 10.0)
        found: dict[int, Rejection] = {}
        for _ in range(partition.offset, end):
            message = self._consumer.poll(30.0)
            assert message is not None
            assert message.error() is None
            letter = decode_rejected(message.value())
            found[letter.offset] = letter
        self._consumer.close()
        return found


def each_letter_is_whole(
    letters: dict[int, Rejection], sent: Sequence[Hostile], topic: str
) -> None:
    """Hold letters against the messages that they are about."""
    for offset, letter in letters.items():
        value = sent[offset].value
        assert (letter.topic, letter.size) == (topic, None if value is None else len(value))
        assert base64.b64decode(letter.original) == (value or b"")[:KEPT_BYTES]
        assert letter.is_cut == (len(value or b"") > KEPT_BYTES)
        assert letter.code in set(RejectionCode)
        assert len(letter.sentence) > 10
        if letter.code == RejectionCode.UNSUPPORTED_VERSION:
            assert letter.field == "schema_version"


def at(topic: str, offset: int) -> MessagePosition:
    return MessagePosition(topic, 0, offset)


def read_in_batches(
    sent: Sequence[Hostile],
    message: Callable[[bytes | None, MessagePosition], Any],
    topic: str,
    read: Callable[[list[Any]], object],
) -> None:
    for batch in batched(enumerate(sent), BATCH):
        read([message(one.value, at(topic, offset)) for offset, one in batch])


@pytest.mark.parametrize("count", COUNTS)
def test_each_hostile_scene_is_refused_or_planned(settings: Settings, count: int) -> None:
    sent = list(hostile([given.scene_of(number) for number in range(8)], SEED, count))
    heard, publisher = Heard(settings), publisher_of(settings, linger_ms=0)

    read_in_batches(sent, SceneMessage, SCENES, lambda some: plan_scenes(some, settings, publisher))

    letters = heard.letters()
    each_letter_is_whole(letters, sent, SCENES)
    understood = [offset for offset in range(count) if offset not in letters]
    stored = rows(settings, "SELECT scene_id::text AS id, status, planned_at FROM ops.scene")
    planned = {row.id for row in stored if row.status == "planned" and row.planned_at is not None}
    for offset in understood:
        stated = orjson.loads(sent[offset].value or b"").get("scene_id")
        assert str(UUID(stated) if stated else at(SCENES, offset).scene_id) in planned
    assert {row.status for row in stored} == {"planned", "rejected"}
    # scenes that are well stay among those that are not, and each kind of refusal came up
    assert len(understood) > count // 50
    assert {letter.code for letter in letters.values()} >= set(RejectionCode) - {
        "too_many_runs",
        "quota_exceeded",  # nobody has a quota here; tests/streaming/test_admission.py
    }
    assert any(letter.is_cut for letter in letters.values())


@pytest.mark.parametrize("count", COUNTS)
def test_each_hostile_chunk_is_refused_or_executed(settings: Settings, count: int) -> None:
    sent = list(hostile([given.chunk_of(number) for number in range(8)], SEED, count))
    heard = Heard(settings)
    executed: list[int] = []

    read_in_batches(
        sent, ChunkMessage, RUNS, lambda some: executed.append(run_chunks(some, settings).total())
    )

    letters = heard.letters()
    each_letter_is_whole(letters, sent, RUNS)
    understood = [one.value or b"" for offset, one in enumerate(sent) if offset not in letters]
    assert sum(executed) == len(understood)
    assert len(understood) > count // 50
    assert not rows(settings, "SELECT chunk FROM ops.chunk_mark")


@pytest.mark.parametrize("count", COUNTS)
def test_each_hostile_result_is_refused_or_stored_once(settings: Settings, count: int) -> None:
    valid = [one for number in range(8) for one in given.results_of(number, settings)]
    [columns] = columns_of(valid[:1])
    raw = to_arrow(columns)
    sent = [in_columns(one, raw) for one in hostile(valid, SEED, count)]
    heard = Heard(settings)

    read_in_batches(sent, ResultMessage, CHUNK_RESULTS, lambda some: record_results(some, settings))

    letters = heard.letters()
    each_letter_is_whole(letters, sent, CHUNK_RESULTS)
    understood = [one.value or b"" for offset, one in enumerate(sent) if offset not in letters]
    keys = {
        (one.scene_id, key.tobytes().hex())
        for one in map(from_arrow, understood)
        for key in one.run_keys
    }
    stored = rows(settings, "SELECT scene_id::text, run_key FROM ops.scene_run")
    assert {tuple(row) for row in stored} == keys
    assert len(understood) > count // 50


@pytest.mark.parametrize("count", COUNTS)
def test_each_hostile_progress_is_refused_or_understood(settings: Settings, count: int) -> None:
    for number in range(4):
        given.receive(number, settings)  # planned, and nothing of it is recorded
    sent = list(hostile([one for i in range(4) for one in given.progress_of(i)], SEED, count))
    heard, publisher = Heard(settings), publisher_of(settings)

    def read(some: list[Any]) -> None:
        found = recorded_scenes(some)
        for message, why in found.refused:
            refuse(message, why, publisher)
        for scene_id, message in found.scenes.items():
            conclude_recorded(scene_id, message, settings, publisher)
        publisher.flush()

    read_in_batches(sent, ProgressMessage, PROGRESS, read)

    letters = heard.letters()
    each_letter_is_whole(letters, sent, PROGRESS)
    # whoever lies that all runs are recorded ends no scene
    lies = [letter for letter in letters.values() if "runs are all recorded" in letter.sentence]
    assert len(lies) >= count // BATCH
    assert {row.status for row in rows(settings, "SELECT status FROM ops.scene")} == {"planned"}
    assert len(letters) < count


def test_the_same_seed_makes_the_same_messages() -> None:
    first, again = (list(hostile(given.SCENES, 7, 300)) for _ in range(2))

    assert first == again
    assert first != list(hostile(given.SCENES, 8, 300))
    assert len({one.kind for one in first}) == 18


def test_a_message_above_the_brokers_limit_is_kept_as_far_as_a_letter_holds_it(
    settings: Settings,
) -> None:
    raw = b"[" + b"7" * (11 * 2**20)
    heard, publisher = Heard(settings), publisher_of(settings)

    for message, why in recorded_scenes([ProgressMessage(raw, at(PROGRESS, 4))]).refused:
        refuse(message, why, publisher)
    publisher.flush()

    [letter] = heard.letters().values()
    assert (letter.is_cut, letter.size, letter.code) == (True, len(raw), "not_json")
    assert base64.b64decode(letter.original) == raw[:KEPT_BYTES]


def test_a_message_without_a_value_is_told_from_an_empty_one(settings: Settings) -> None:
    heard, publisher = Heard(settings), publisher_of(settings)

    for offset, value in enumerate((None, b"")):
        plan_scenes([SceneMessage(value, at(SCENES, offset))], settings, publisher)

    assert [letter.size for letter in heard.letters().values()] == [None, 0]


def test_a_document_of_many_levels_is_refused_at_once(settings: Settings) -> None:
    """Its traceback with the locals of each frame once took minutes: no other scene was planned."""
    raw = orjson.dumps(given.scene_of(0)).replace(b'"fast":2', b'"fast":' + b"[" * 900 + b"]" * 900)
    heard, publisher = Heard(settings), publisher_of(settings)

    plan_scenes([SceneMessage(raw, at(SCENES, 3))], settings, publisher)

    [letter] = heard.letters().values()
    assert (letter.code, letter.field) == ("invalid_field", None)
    assert "32 levels" in letter.sentence

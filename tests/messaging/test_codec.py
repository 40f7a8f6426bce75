"""Every message can be read back, and keys keep related messages in order."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mela.errors import MessageInvalid, RejectionCode, SceneInvalid
from mela.messages import PROGRESS, REJECTED, RESULTS, SCENES, MessagePosition, Progress, State
from mela.scene import parse_scene
from messaging.codec import (
    decode_progress,
    decode_rejected,
    encode_progress,
    encode_rejected,
    encode_result,
    encode_scene,
    hash_of,
    original_of,
)

SCENE = {
    "scene_id": "8a4e3f5e-6f0c-4f6c-8f0a-3a8f2b1c0d9e",
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2023-02-01T00:00:00Z",
    "strategy": {"name": "sma_cross"},
}
AT = datetime(2024, 1, 1, tzinfo=UTC)


def test_a_scene_is_read_back_as_it_was() -> None:
    scene = parse_scene(SCENE)

    message = encode_scene(scene)

    assert (message.topic, message.key) == (SCENES, SCENE["scene_id"])
    assert parse_scene(orjson.loads(message.value)) == scene


def test_a_scene_without_an_id_is_not_sent() -> None:
    scene = parse_scene({name: value for name, value in SCENE.items() if name != "scene_id"})

    with pytest.raises(ValueError, match="scene_id is None"):
        encode_scene(scene)


def test_a_result_is_keyed_by_scene_and_run() -> None:
    message = encode_result("s", "r", b"{}")

    assert message == (RESULTS, "s:r", b"{}", None)


@given(some.sampled_from(State), some.none() | some.integers(0, 10**6))
def test_progress_is_read_back_as_it_was(state: State, recorded: int | None) -> None:
    progress = Progress(scene_id=uuid4(), state=state, at=AT, recorded=recorded)

    message = encode_progress(progress)

    assert (message.topic, message.key) == (PROGRESS, str(progress.scene_id))
    assert decode_progress(message.value) == progress


@given(some.binary(max_size=200))
def test_a_dead_letter_holds_every_byte_of_its_message(original: bytes) -> None:
    refused = SceneInvalid(RejectionCode.NOT_JSON, None, "expected JSON.")

    message = encode_rejected(original, MessagePosition(SCENES, 0, 7), refused, at=AT)
    letter = decode_rejected(message.value)

    assert (message.topic, message.key) == (REJECTED, "mela.scenes:0:7")
    assert original_of(letter) == original
    assert (letter.code, letter.sentence) == (RejectionCode.NOT_JSON, "expected JSON.")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, RejectionCode.NOT_JSON),
        (b"{", RejectionCode.NOT_JSON),
        (b'{"state": "planned"}', RejectionCode.INVALID_FIELD),
    ],
)
def test_an_unreadable_message_is_refused_with_a_code(
    value: bytes | None, code: RejectionCode
) -> None:
    with pytest.raises(MessageInvalid) as refused:
        decode_progress(value)

    assert refused.value.code == code


@given(some.uuids())
def test_the_hash_of_a_scene_is_the_same_in_every_process(scene_id: UUID) -> None:
    assert hash_of(str(scene_id)) == scene_id.int % 2**32

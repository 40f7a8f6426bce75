"""The key, value and partition of every message, and how a value is read back.

Every message is JSON, except for results as columns (`messaging.columns`). Keys keep the messages
of one scene, or of one run, in order.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import NamedTuple

from pydantic import ValidationError

import mela
from mela.errors import MessageInvalid, Refused, RejectionCode
from mela.messages import (
    PROGRESS,
    REJECTED,
    RESULTS,
    RUNS,
    SCENES,
    MessagePosition,
    Progress,
    Rejection,
    RunChunk,
    rejection,
)
from mela.scene import Scene, fault_sentence, field_path
from mela.training import Training


class Encoded(NamedTuple):
    """A message that is ready to be sent. `partition=None` lets Kafka choose by the key."""

    topic: str
    key: str
    value: bytes
    partition: int | None = None


def encode_scene(scene: Scene | Training) -> Encoded:
    """Encode a scene for `mela.scenes`. Raises ValueError if the scene has no id."""
    if scene.scene_id is None:
        raise ValueError("expected a scene with a scene_id, but scene_id is None; give it one")
    if isinstance(scene, Training):  # null is a value of its own there, and no default
        body = scene.model_dump_json()
    else:
        body = scene.model_dump_json(by_alias=True, exclude_none=True)
    return Encoded(SCENES, str(scene.scene_id), body.encode())


def encode_chunk(chunk: RunChunk, partitions: int) -> Encoded:
    """Encode runs for `mela.runs`. The chunks of one scene go round the partitions."""
    return Encoded(RUNS, chunk.key, chunk.to_bytes(), partition_of(chunk, partitions))


def encode_result(scene_id: str, run_key: str, body: bytes) -> Encoded:
    """Address a result document, which is JSON already, to `mela.results`."""
    return Encoded(RESULTS, f"{scene_id}:{run_key}", body)


def encode_progress(progress: Progress) -> Encoded:
    """Encode a scene's progress for `mela.progress`."""
    return Encoded(PROGRESS, str(progress.scene_id), progress.to_bytes())


def encode_rejected(
    original: bytes | None, source: MessagePosition, refused: Refused, *, at: datetime
) -> Encoded:
    """Encode the dead letter of a refused message, which holds the whole message."""
    letter = rejection(original, source, refused, code_version=mela.__version__, at=at)
    return Encoded(REJECTED, letter.key, letter.to_bytes())


def decode_progress(value: bytes | None) -> Progress:
    """Read a message of `mela.progress`. Raises MessageInvalid."""
    try:
        return Progress.model_validate_json(value or b"")
    except ValidationError as error:
        raise _invalid(error) from error


def decode_rejected(value: bytes | None) -> Rejection:
    """Read a message of `mela.rejected`. Raises MessageInvalid."""
    try:
        return Rejection.model_validate_json(value or b"")
    except ValidationError as error:
        raise _invalid(error) from error


def original_of(letter: Rejection) -> bytes:
    """Return the bytes of the message that a dead letter is about."""
    return base64.b64decode(letter.original)


def partition_of(chunk: RunChunk, partitions: int) -> int:
    """Return the partition of a chunk and of its results: those of a scene go round them all."""
    return (hash_of(chunk.scene_id) + chunk.chunk) % partitions


def hash_of(scene_id: str) -> int:
    """Return a number, the same in every process, that spreads small scenes over partitions."""
    return int(scene_id.replace("-", "")[-8:], 16)


def _invalid(error: ValidationError) -> MessageInvalid:
    fault = error.errors(include_url=False, include_context=False)[0]
    is_json = fault["type"] != "json_invalid"
    code = RejectionCode.INVALID_FIELD if is_json else RejectionCode.NOT_JSON
    return MessageInvalid(code, field_path(fault), fault_sentence(fault))

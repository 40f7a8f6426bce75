"""Publish a rejected message again, after what was wrong has been mended."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import orjson

from mela.errors import Conflict, RejectionCode
from mela.messages import SCENES, MessagePosition, Rejection
from mela.scene import Scene
from mela.settings import Settings
from mela.training import Training, is_training, parse_training
from messaging.codec import original_of
from messaging.consumer import backwards, message_at
from messaging.publisher import send_again
from services.scenes.rejected import rejection_of
from services.scenes.validate import validate_scene
from warehouse.database import transaction
from warehouse.scenes import records

MARK = "mela-replay-of"  # the header of a message that repeats another


@dataclass(frozen=True, slots=True)
class Replayed:
    """A message that was published again.

    position: where it is now; scene_id: of a scene, a new one where the message states none
    is_new: False if it was published again before; then nothing was sent now
    """

    position: MessagePosition
    scene_id: UUID | None
    is_new: bool


def replay(name: str, settings: Settings) -> Replayed:
    """Publish the original bytes of a rejected message to the topic that it came from, once.

    name: the id of the rejected message. Raises NotFound for an unknown one, and Conflict for one
    that would be refused again or cannot be had whole, with the reason.
    """
    letter = rejection_of(name, settings)
    source = MessagePosition(letter.topic, letter.partition, letter.offset)
    key, value = _original(letter, source, settings)
    before = _earlier(letter, source, settings)
    if before is not None:
        return Replayed(before, _scene_id(value, before), is_new=False)
    _check(letter, value, settings)
    mark = MARK, source.key.encode()
    position = send_again(settings.kafka, source, key, value, mark)
    return Replayed(position, _scene_id(value, position), is_new=True)


def _original(
    letter: Rejection, source: MessagePosition, settings: Settings
) -> tuple[bytes | None, bytes]:
    """Return key and value of the message itself, or else the value that its letter holds."""
    message = message_at(settings, source)
    if letter.size is None and not letter.original:
        raise Conflict(f"{source.key} had no value, so that there is nothing to publish again.")
    if message is not None and message.value() is not None:
        return message.key(), message.value() or b""
    if letter.is_cut:
        raise Conflict(
            f"{source.key} had {letter.size:,} bytes, of which its letter holds the first, and "
            "Kafka has dropped the message itself. Ask its publisher to send it again."
        )
    return None, original_of(letter)


def _earlier(
    letter: Rejection, source: MessagePosition, settings: Settings
) -> MessagePosition | None:
    """Return where the message was published again before; None if it was not."""
    for message in backwards(settings, letter.topic, letter.rejected_at):
        marks = dict(message.headers() or ())
        if marks.get(MARK) == source.key.encode():
            where = message.partition() or 0, message.offset() or 0
            return MessagePosition(letter.topic, *where)
    return None


def _check(letter: Rejection, value: bytes, settings: Settings) -> None:
    """Refuse what would be refused again, as far as that can be known. Raises Conflict."""
    if letter.code is RejectionCode.NOT_JSON:
        raise Conflict(f"{letter.key} is no JSON, and would be refused again: {letter.sentence}")
    if letter.topic != SCENES:
        return
    if len(value) > settings.kafka.max_message_bytes:
        raise Conflict(
            f"{letter.key} has {len(value):,} bytes, and at most "
            f"{settings.kafka.max_message_bytes:,} are allowed (MELA_KAFKA__MAX_MESSAGE_BYTES)."
        )
    document = orjson.loads(value)
    found = validate_scene(document, settings)
    if not found.ok:
        fault = found.faults[0]
        where = f"{fault.path}: " if fault.path else ""
        raise Conflict(
            f"{letter.key} would be refused again ({fault.code}): {where}{fault.sentence}"
        )
    asked = parse_training(document) if is_training(document) else found.scene
    if asked is not None and asked.scene_id is not None:
        _check_id(letter, asked, settings)


def _check_id(letter: Rejection, scene: Scene | Training, settings: Settings) -> None:
    """Refuse a scene whose id is in use by now. Raises Conflict."""
    with transaction(settings) as connection:
        stored = records.get(connection, str(scene.scene_id))
    if stored is None or stored.status == "rejected":
        return
    if stored.content_hash == scene.content_hash():
        raise Conflict(
            f"{letter.key} was accepted meanwhile: its scene {scene.scene_id} is {stored.status}."
        )
    raise Conflict(
        f"{letter.key} would be refused again ({RejectionCode.SCENE_ID_REUSED}): another scene has "
        f"the id {scene.scene_id}. Publish its scene under a new id."
    )


def _scene_id(value: bytes, position: MessagePosition) -> UUID | None:
    """Return the id that the planner gives the scene of a message; None for other topics."""
    if position.topic != SCENES:
        return None
    stated = orjson.loads(value).get("scene_id")
    return position.scene_id if stated is None else UUID(stated)

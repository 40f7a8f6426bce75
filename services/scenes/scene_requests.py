"""Ask for a scene through the application: publish it once, say whose it is, cancel, ask again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection

from mela.canonical import canonical_json
from mela.errors import Conflict, NotAllowed
from mela.messages import SCENES
from mela.scene import Scene
from mela.settings import Settings
from mela.training import Training, is_training
from messaging.consumer import check_broker
from messaging.publisher import publisher_of
from services.accounts.accounts import Caller, Role
from services.accounts.visibility import check_scene
from services.scenes import cancel, scene_pages, sender
from services.scenes.publish import plan_scene
from services.scenes.trainings import check_instruments, checked, read_by
from services.strategies.all_strategies import all_strategies
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.scenes import cards, records


@dataclass(frozen=True, slots=True)
class Card:
    """The labels that an owner gives a scene. None: it stays as it is, or as the scene has it."""

    name: str | None = None
    note: str | None = None
    tags: Sequence[str] | None = None
    is_private: bool | None = None

    @property
    def said(self) -> list[Any]:
        """Return it as JSON values."""
        return [self.name, self.note, list(self.tags or ()), self.is_private]


def publish(
    settings: Settings,
    caller: Caller,
    document: Any,
    card: Card,
    *,
    idempotency_key: str | None = None,
) -> UUID:
    """Publish a scene under a new id and return that.

    document: the scene as JSON values; an id in it is not used
    idempotency_key: the same one within a day gives the same scene
    Raises SceneInvalid, SourceUnavailable if Kafka does not answer, and Conflict for a key that
    another request has used.
    """
    digest = _hash([document, card.said])
    if is_training(document):  # its name is the model's: what the card says is of the scene
        asked = _training(document, settings, card, digest)
        return _publish_once(settings, caller, asked, idempotency_key)
    scene, plan = plan_scene(document, settings)
    scene = scene.model_copy(update={"scene_id": uuid4(), "name": card.name or scene.name})
    asked = _Asked(scene, plan.runs, plan.skipped, card, digest)
    return _publish_once(settings, caller, asked, idempotency_key)


def warm(settings: Settings) -> None:
    """Do beforehand what the first scene of a process would wait for. Raises SourceUnavailable."""
    all_strategies(settings)
    publisher_of(settings, linger_ms=0, owner="api")
    check_broker(settings, SCENES)


def ask_again(
    settings: Settings, caller: Caller, scene_id: UUID, *, idempotency_key: str | None = None
) -> UUID:
    """Publish a scene again under a new id, which is returned.

    A caller may repeat each scene that he may see, as his own.
    idempotency_key: the same one within a day gives the same scene
    Raises NotFound, SceneInvalid where it is no longer valid, and as `publish` does.
    """
    with transaction(settings) as connection:
        head, content = scene_pages.seen(connection, caller, scene_id)
    card = Card(head.name, tags=head.tags, is_private=head.is_private)
    digest = _hash(["rerun", str(scene_id)])
    if is_training(content):
        asked = _training(content, settings, card, digest)
        return _publish_once(settings, caller, replace(asked, rerun_of=scene_id), idempotency_key)
    scene, plan = plan_scene({**content, "scene_id": None}, settings)
    scene = scene.model_copy(update={"scene_id": uuid4()})
    asked = _Asked(scene, plan.runs, plan.skipped, card, digest, rerun_of=scene_id)
    return _publish_once(settings, caller, asked, idempotency_key)


def change(settings: Settings, caller: Caller, scene_id: UUID, card: Card) -> None:
    """Change what is said of a scene. Raises NotFound, and NotAllowed for another's."""
    check_scene(settings, caller, scene_id, to_change=True)
    with transaction(settings) as connection:
        _save(connection, scene_id, card)
        cards.tell(connection, scene_id)


def stop(settings: Settings, caller: Caller, scene_id: UUID) -> None:
    """Cancel a scene. Its owner and administrators may.

    Raises NotFound, NotAllowed, and Conflict for one that has ended.
    """
    with transaction(settings) as connection:
        head, _ = scene_pages.seen(connection, caller, scene_id)
    if head.user_id != caller.user_id and caller.role is not Role.ADMIN:
        raise NotAllowed(f"scene {scene_id} belongs to somebody else.", "not_yours")
    cancel.cancel_scene(scene_id, settings)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A scene to publish under its new id. digest: of the request, by which it is known again."""

    scene: Scene | Training
    runs: int
    skipped: int
    card: Card
    digest: bytes
    rerun_of: UUID | None = None


def _training(document: Any, settings: Settings, card: Card, digest: bytes) -> _Asked:
    """Return a training to publish under a new id. Raises SceneInvalid."""
    found = checked({**document, "scene_id": str(uuid4())}, settings)
    with transaction(settings) as connection:
        known = instruments.known(connection, read_by(found.training))
    check_instruments(found.training, known)
    return _Asked(found.training, found.fits, 0, card, digest)


def _publish_once(
    settings: Settings, caller: Caller, asked: _Asked, idempotency_key: str | None
) -> UUID:
    scene: Scene | Training | None = asked.scene
    check_broker(settings, SCENES)  # before anything is recorded
    with transaction(settings) as connection:
        if idempotency_key is not None:
            known = cards.lock_key(connection, caller.account_id, idempotency_key)
            if known is not None:
                if known.request_hash != asked.digest:
                    raise Conflict("this Idempotency-Key belongs to another request.")
                scene = _still_to_send(connection, known.scene_id)
                if scene is None:
                    return known.scene_id
        scene_id = _id_of(scene)
        _record(connection, caller, scene, asked)
        if idempotency_key is not None:
            cards.keep_key(connection, caller.account_id, idempotency_key, asked.digest, scene_id)
    sender.send(scene, settings)
    return scene_id


def _record(connection: Connection, caller: Caller, scene: Scene | Training, asked: _Asked) -> None:
    records.announce(
        connection,
        scene,
        runs=asked.runs,
        skipped=asked.skipped,
        user_id=caller.user_id,
        rerun_of=asked.rerun_of,
    )
    _save(connection, _id_of(scene), asked.card)
    cards.tell(connection, _id_of(scene))


def _save(connection: Connection, scene_id: UUID, card: Card) -> None:
    cards.save(
        connection,
        scene_id,
        name=card.name,
        note=card.note,
        tags=card.tags,
        is_private=card.is_private,
    )


def _still_to_send(connection: Connection, scene_id: UUID) -> Scene | Training | None:
    """Return a scene that was recorded and that no planner has read: it may never have been sent.

    To send it twice does no harm, since its id is the same.
    """
    stored = records.get(connection, scene_id)
    if stored is None or stored.partition is not None:
        return None
    return sender.scene_again(stored)


def _hash(said: Any) -> bytes:
    return hashlib.sha256(canonical_json(said)).digest()


def _id_of(scene: Scene | Training) -> UUID:
    if scene.scene_id is None:
        raise ValueError("expected a scene with its id")
    return scene.scene_id

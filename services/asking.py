"""Ask for a scene through the application: publish it once, say whose it is, cancel, ask again."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection

from mela.canonical import canonical_json
from mela.errors import Conflict, NotAllowed
from mela.grid import Plan
from mela.messages import SCENES
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from messaging.consumer import check_broker
from messaging.publisher import publisher_of
from services import cancel, scene_pages
from services.accounts import Caller, Role
from services.all_strategies import all_strategies
from services.publish import plan_scene
from services.visibility import check_scene
from warehouse.database import transaction
from warehouse.scenes import cards, records

_sending = threading.Lock()  # one flushes at a time, so that each sees its own errors


@dataclass(frozen=True, slots=True)
class Card:
    """What an owner says of a scene. None: it stays as it is, or as the scene has it."""

    name: str | None = None
    note: str | None = None
    tags: Sequence[str] | None = None
    is_private: bool | None = None


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
    scene, plan = plan_scene(document, settings)
    scene = scene.model_copy(update={"scene_id": uuid4(), "name": card.name or scene.name})
    asked = _hash(document, card)
    check_broker(settings, SCENES)  # before anything is recorded
    with transaction(settings) as connection:
        if idempotency_key is not None:
            known = cards.lock_key(connection, caller.account_id, idempotency_key)
            if known is not None:
                if known.request_hash != asked:
                    raise Conflict("this Idempotency-Key belongs to another request.")
                scene = _still_to_send(connection, known.scene_id)
                if scene is None:
                    return known.scene_id
        scene_id = _id_of(scene)
        _record(connection, caller, scene, plan, card)
        if idempotency_key is not None:
            cards.keep_key(connection, caller.account_id, idempotency_key, asked, scene_id)
    _send(scene, settings)
    return scene_id


def warm(settings: Settings) -> None:
    """Do beforehand what the first scene of a process would wait for. Raises SourceUnavailable."""
    all_strategies(settings)
    publisher_of(settings, linger_ms=0, owner="api")
    check_broker(settings, SCENES)


def ask_again(settings: Settings, caller: Caller, scene_id: UUID) -> UUID:
    """Publish a scene again under a new id, which is returned.

    What the caller may see he may ask again, as his own. Raises NotFound, and SceneInvalid where
    it is no longer valid.
    """
    with transaction(settings) as connection:
        head, content = scene_pages.seen(connection, caller, scene_id)
    scene, plan = plan_scene({**content, "scene_id": None}, settings)
    scene = scene.model_copy(update={"scene_id": uuid4()})
    check_broker(settings, SCENES)
    card = Card(head.name, tags=head.tags, is_private=head.is_private)
    with transaction(settings) as connection:
        _record(connection, caller, scene, plan, card, rerun_of=scene_id)
    _send(scene, settings)
    return _id_of(scene)


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


def _record(
    connection: Connection,
    caller: Caller,
    scene: Scene,
    plan: Plan,
    card: Card,
    *,
    rerun_of: UUID | None = None,
) -> None:
    records.announce(
        connection,
        scene,
        runs=plan.runs,
        skipped=plan.skipped,
        user_id=caller.user_id,
        rerun_of=rerun_of,
    )
    _save(connection, _id_of(scene), card)
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


def _still_to_send(connection: Connection, scene_id: UUID) -> Scene | None:
    """Return a scene that was recorded and that no planner has read: it may never have been sent.

    To send it twice does no harm, since its id is the same.
    """
    stored = records.get(connection, scene_id)
    if stored is None or stored.partition is not None:
        return None
    return parse_scene({**stored.content, "scene_id": str(scene_id), "name": stored.name})


def _send(scene: Scene, settings: Settings) -> None:
    with _sending:
        publisher = publisher_of(settings, linger_ms=0, owner="api")
        publisher.scene(scene)
        publisher.flush()


def _hash(document: Any, card: Card) -> bytes:
    said = [card.name, card.note, list(card.tags or ()), card.is_private]
    return hashlib.sha256(canonical_json([document, said])).digest()


def _id_of(scene: Scene) -> UUID:
    if scene.scene_id is None:
        raise ValueError("expected a scene with its id")
    return scene.scene_id

"""Scenes of kind train: accepted or refused here, and executed by the trainer.

Order of writes: commit ops.scene and ops.training → send `planned` → flush → set planned_at. The
trainer takes what is planned. All of it may be repeated: a training is noted once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import structlog

from mela.errors import RejectionCode, SceneInvalid
from mela.messages import MessagePosition, Progress, State
from mela.settings import Settings
from mela.training import is_training
from messaging.publisher import Publisher
from services.scenes import trainings as asked
from services.scenes.trainings import CheckedTraining
from streaming.admission import Admission
from streaming.poison import is_away
from streaming.scene_document import read_document, read_id, refuse_nul
from warehouse import trainings
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.scenes import records as scenes
from warehouse.scenes import stages
from warehouse.scenes.records import PublicationStatus, Receipt
from warehouse.scenes.stages import Stage

log = structlog.get_logger()


def asks_for_training(value: bytes | None) -> bool:
    """Tell whether a message is a scene of kind train, right or wrong."""
    if not value or b'"kind"' not in value:
        return False
    try:
        return is_training(orjson.loads(value))
    except orjson.JSONDecodeError:
        return False


def plan_training(
    value: bytes,
    source: MessagePosition,
    published_at: datetime | None,
    settings: Settings,
    publisher: Publisher,
) -> None:
    """Accept a training, or refuse it. May be repeated. Raises where a service is away."""
    taken_at = datetime.now(UTC)
    scene_id: UUID | None = None
    document: Mapping[str, Any] | None = None
    try:
        document = read_document(value, settings.kafka.max_message_bytes)
        scene_id = read_id(document, source)
        refuse_nul(document)
        found = _checked(document, settings)
        receipt = _received(scene_id, found, source, settings)
    except SceneInvalid as refused:
        refuse(value, source, scene_id, document, refused, settings, publisher)
        return
    if receipt.outcome is PublicationStatus.ID_CONFLICT:
        sentence = "this id was used by a scene with other content; publish under a new id."
        refused = SceneInvalid(RejectionCode.SCENE_ID_REUSED, "scene_id", sentence)
        publisher.rejected(value, source, refused)
        publisher.flush()
        log.warning("scene_id_reused", scene_id=str(scene_id))
        return
    with transaction(settings) as connection:
        times = [(scene_id, Stage.TAKEN, taken_at)]
        times += [(scene_id, Stage.PUBLISHED, published_at)] if published_at else []
        stages.note(connection, times)
    if not receipt.cancelled_at:
        _say_planned(scene_id, found.fits, settings, publisher)


def refuse(
    value: bytes,
    source: MessagePosition,
    scene_id: UUID | None,
    document: Mapping[str, Any] | None,
    refused: SceneInvalid,
    settings: Settings,
    publisher: Publisher,
    *,
    given_up: bool = False,
) -> None:
    """Refuse a message for a reason. Raises where a service is away."""
    is_its_own = False
    if scene_id is not None:
        with transaction(settings) as connection:  # first: who reads the letter may ask at once
            is_its_own = scenes.reject(
                connection,
                scene_id,
                document,
                code=refused.code,
                field=refused.field,
                sentence=refused.sentence,
                origin=source,
                given_up=given_up,
            )
    publisher.rejected(value, source, refused)
    if is_its_own and scene_id is not None:
        publisher.progress(
            Progress(
                scene_id=scene_id,
                state=State.REJECTED,
                at=datetime.now(UTC),
                code=refused.code,
                field=refused.field,
                sentence=refused.sentence,
            )
        )
    publisher.flush()
    log.warning("scene_rejected", source=source.key, code=refused.code, field=refused.field)


def _checked(document: Mapping[str, Any], settings: Settings) -> CheckedTraining:
    """Return a training that holds. Raises SceneInvalid, and what says that a service is away."""
    try:
        found = asked.checked(document, settings)
        with transaction(settings) as connection:
            known = instruments.known(connection, asked.read_by(found.training))
        asked.check_instruments(found.training, known)
    except SceneInvalid:
        raise
    except Exception as error:  # one strange training must not stop all scenes
        if is_away(error):
            raise
        log.exception("training_not_understood")
        sentence = f"this training could not be understood ({type(error).__name__})."
        raise SceneInvalid(RejectionCode.INVALID_FIELD, None, sentence) from error
    return found


def _received(
    scene_id: UUID, found: CheckedTraining, source: MessagePosition, settings: Settings
) -> Receipt:
    """Record the training. Raises SceneInvalid where its owner's quota does not allow it."""
    training = found.training
    with transaction(settings) as connection:
        admission = Admission(connection, [scene_id], settings)
        if refused := admission.refusal(scene_id, found.fits, has_search=False):
            raise refused
        receipt = scenes.receive(
            connection,
            scene_id,
            training.content(),
            training.content_hash(),
            runs=found.fits,
            skipped=0,
            name=training.name,
            origin=source,
        )
        admission.claim()
        if receipt.outcome is not PublicationStatus.ID_CONFLICT:
            trainings.want(connection, scene_id, training.name)
    return receipt


def _say_planned(scene_id: UUID, fits: int, settings: Settings, publisher: Publisher) -> None:
    """Say and record that the trainer may have it, or how far it is already."""
    with transaction(settings) as connection:
        stored, scene = trainings.get(connection, scene_id), scenes.get(connection, scene_id)
    if stored is None or scene is None:
        raise ValueError(f"expected a training {scene_id}, but it is gone")
    if scene.planned_at is None:
        told = Progress(
            scene_id=scene_id,
            state=State.PLANNED,
            at=datetime.now(UTC),
            runs=fits,
            skipped=0,
            cached=0,
        )
    else:
        told = asked.progress(stored, scene.updated_at, scene.ending.training)
    publisher.progress(told)
    publisher.flush()
    with transaction(settings) as connection:
        scenes.set_all_planned(connection, {str(scene_id): 0})
    log.info("training_planned", scene_id=str(scene_id), fits=fits)

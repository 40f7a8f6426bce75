"""Trainings that are asked for as scenes of kind train: check, publish, and say how far one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from mela.errors import NotAllowed, NotFound, RejectionCode, SceneInvalid
from mela.instants import instant_text
from mela.instrument import Instrument, load_command
from mela.messages import SCENES, Progress, State
from mela.settings import Settings
from mela.training import Training, parse_training
from messaging.consumer import check_broker
from messaging.publisher import Publisher
from services.accounts import audit
from services.accounts.accounts import Caller, Role
from services.scenes.publish import announce_as
from warehouse import model_versions, trainings
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.trainings import StoredTraining


@dataclass(frozen=True, slots=True)
class CheckedTraining:
    """A training that holds, and how many models it fits, the one that is kept among them."""

    training: Training
    fits: int


@dataclass(frozen=True, slots=True)
class TrainingState:
    """How far a training is.

    report: Markdown, once a model came of it; error: a class and a sentence, where none did
    """

    scene_id: UUID
    name: str
    status: str
    fits: int
    done: int
    doing: str | None
    started_at: datetime | None
    ended_at: datetime | None
    version: int | None
    report: str | None
    error: tuple[str, str] | None


def checked(document: Any, settings: Settings) -> CheckedTraining:
    """Return a training that would be accepted, as far as it can be told without the warehouse.

    document: JSON values, or a Training. Raises SceneInvalid with code and field.
    """
    from forecasts.features import FeatureSet
    from forecasts.fitting import check_model
    from forecasts.judge.judgement import parts_of

    training = document if isinstance(document, Training) else parse_training(document)
    check_model(training)
    FeatureSet(training.features)
    fits = parts_of(training) + 1
    if fits > settings.max_runs:
        raise SceneInvalid(
            RejectionCode.TOO_MANY_RUNS,
            "splits",
            f"this training fits {fits:,} models, and one may fit {settings.max_runs:,}; take "
            "fewer folds, groups or seeds.",
        )
    return CheckedTraining(training, fits)


def check_instruments(training: Training, known: Mapping[str, Instrument]) -> None:
    """Refuse instruments that the warehouse does not know. Raises SceneInvalid."""
    for name, field in read_by(training).items():
        if name not in known:
            load = load_command(
                name, training.interval, instant_text(training.start), instant_text(training.end)
            )
            raise SceneInvalid(
                RejectionCode.UNKNOWN_INSTRUMENT,
                field,
                f"no candles of {name} were ever loaded. Load them first: {load}",
            )


def read_by(training: Training) -> dict[str, str]:
    """Return the instruments that a training reads, each with the field that names it."""
    from forecasts.features import FeatureSet

    found = {name: f"instruments.{at}" for at, name in enumerate(training.instruments)}
    for at, choice in enumerate(training.features):
        for one in FeatureSet((choice,)).inputs.values():
            if one.instrument is not None:
                found.setdefault(one.instrument, f"features.{at}.params.instrument")
    return found


def asked_by(
    caller: Caller, document: Any, settings: Settings, *, via: audit.Via = "command"
) -> CheckedTraining:
    """Return a training that a caller may ask for, with its id, and note that he does.

    Raises NotAllowed for a viewer, and SceneInvalid.
    """

    def note(outcome: audit.AuditOutcome, subject: str, detail: dict[str, Any]) -> None:
        audit.note(
            settings,
            user=caller.user,
            via=via,
            action="train_model",
            outcome=outcome,
            subject=subject,
            detail=detail,
        )

    if not caller.role.includes(Role.TRADER):
        note("refused", "training", {"role": caller.role.value})
        raise NotAllowed(
            f"training a model needs the role trader, but {caller.user} is a {caller.role}. An "
            f"administrator gives it with `mela user role {caller.user} trader`."
        )
    found = checked(document, settings)
    with transaction(settings) as connection:
        known = instruments.known(connection, read_by(found.training))
    check_instruments(found.training, known)
    training = with_id(found.training)
    note("done", training.name, {"scene_id": str(training.scene_id)})
    return CheckedTraining(training, found.fits)


def with_id(training: Training) -> Training:
    """Return the training with its id, or with a new one if it has none."""
    if training.scene_id is not None:
        return training
    return training.model_copy(update={"scene_id": uuid4()})


def send(asked: CheckedTraining, settings: Settings, *, user: str | None = None) -> UUID:
    """Send a training that was checked and that has its id; return that.

    user: whose scene it is. Raises SourceUnavailable if Kafka does not answer, and Conflict if the
    id belongs to another scene.
    """
    training = asked.training
    if training.scene_id is None:
        raise ValueError("expected a training with a scene_id; `with_id` gives it one")
    check_broker(settings, SCENES)  # before anything is recorded
    if user is not None:
        announce_as(training, user, settings, runs=asked.fits, skipped=0)
    with Publisher(settings.kafka) as publisher:
        publisher.scene(training)
    return training.scene_id


def state_of(scene_id: UUID, settings: Settings) -> TrainingState | None:
    """Return how far a training is; None for a scene that asks for none, or is not planned."""
    with transaction(settings) as connection:
        found = trainings.get(connection, scene_id)
        if found is None:
            return None
        report = None
        if found.version is not None:
            report = model_versions.texts(connection, found.name, found.version)[1]
    return _state(found, report)


def under_way(settings: Settings) -> list[TrainingState]:
    """Return the trainings that have not ended, the one that was asked first first."""
    with transaction(settings) as connection:
        found = [
            trainings.get(connection, one) for one in trainings.waiting(connection, most=1_000)
        ]
    return [_state(one, None) for one in found if one is not None]


def progress(found: StoredTraining, at: datetime, ended: Mapping[str, Any] | None) -> Progress:
    """Return how far a training is, as `mela.progress` tells it.

    at: when it came there; ended: what the end of its scene keeps of it
    """
    state = State(found.status)
    if state is State.PLANNED and found.done:
        state = State.RECORDED
    is_over = state is State.FINISHED
    return Progress(
        scene_id=found.scene_id,
        state=state,
        at=at,
        runs=found.runs,
        skipped=0,
        cached=0,
        recorded=found.done,
        mlflow_run_id=found.mlflow_run_id if is_over else None,
        training=dict(ended) if is_over and ended is not None else None,
    )


def model_of(settings: Settings, state: TrainingState) -> model_versions.StoredVersion:
    """Return the version that came of a training. Raises NotFound where none did."""
    found = None
    if state.version is not None:
        with transaction(settings) as connection:
            found = model_versions.find(connection, state.name, str(state.version))
    if found is None:
        raise NotFound(f"no model came of the training {state.scene_id}.")
    return found


def _state(found: StoredTraining, report: str | None) -> TrainingState:
    error = (found.error_class or "", found.error_sentence) if found.error_sentence else None
    return TrainingState(
        scene_id=found.scene_id,
        name=found.name,
        status=found.status,
        fits=found.runs,
        done=found.done,
        doing=found.doing,
        started_at=found.started_at,
        ended_at=found.ended_at,
        version=found.version,
        report=report,
        error=error,
    )

"""Train models, list them, show one, and say which one is asked: the champion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from forecasts.reference import SCHEME, pinned, pinned_file
from mela.candles import Candles
from mela.errors import CandlesMissing, InputInvalid, NotAllowed
from mela.inputs import series_of
from mela.instrument import load_command
from mela.interval import Interval
from mela.settings import Settings
from mela.training import Training
from services.accounts import audit
from services.accounts.accounts import Caller, Role
from services.models.pinning import pinned_reference
from services.models.process_models import models_of
from warehouse import model_versions
from warehouse.database import transaction
from warehouse.model_versions import StoredVersion

if TYPE_CHECKING:  # they load the libraries that models are fitted with
    from forecasts.judge.checkpoint import Store
    from forecasts.leaks import LeakReport
    from forecasts.train import Finished

Read = Callable[[str, Interval, int], tuple[Candles, int | None]]
FILES = ("model.onnx", "report.md", "card.md")


@dataclass(frozen=True, slots=True)
class Shown:
    """A version, and its card and its report in Markdown."""

    version: StoredVersion
    card: str
    report: str


@dataclass(frozen=True, slots=True)
class Promoted:
    """A version that is champion now, and the one before. in_mlflow: whether MLflow shows it."""

    version: StoredVersion
    before: StoredVersion | None
    in_mlflow: bool


def train(
    training: Training,
    settings: Settings,
    *,
    read: Read | None = None,
    scene_id: UUID | None = None,
    store: Store | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Finished, StoredVersion]:
    """Train a model and register it as a new version; the first one becomes champion too.

    read: gives candles and their revision, of an instrument and interval with so many before the
        start; None for the warehouse's
    scene_id: of the scene that asks for it; store: has what was done of it before
    say: is told what is being done
    Raises SceneInvalid, CandlesMissing, and SourceUnavailable where MLflow does not answer.
    """
    from forecasts.train import train as run
    from services.models import model_record

    if scene_id is None:  # before hours are spent on what could not be stored
        model_record.check_mlflow(settings)
    earlier = model_record.trials(settings, training)
    candles, revisions = _candles(training, read or _stored(training, settings))
    finished = run(training, candles, revisions=revisions, earlier=earlier, store=store, say=say)
    say("the registry")
    return finished, model_record.register(settings, finished, scene_id)


def train_to_folder(
    training: Training,
    folder: Path,
    settings: Settings,
    *,
    read: Read | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Finished:
    """Train a model and write it, its report and its card to a folder; nothing is registered.

    No earlier training counts as a trial, because none is known here.
    """
    from forecasts.train import train as run

    candles, revisions = _candles(training, read or _stored(training, settings))
    finished = run(training, candles, revisions=revisions, say=say)
    folder.mkdir(parents=True, exist_ok=True)
    contents = (finished.content, finished.report.encode(), finished.card.encode())
    for name, content in zip(FILES, contents, strict=True):
        (folder / name).write_bytes(content)
    return finished


def check(training: Training, settings: Settings, *, read: Read | None = None) -> LeakReport:
    """Look for leaks in a training: change what it must not see, and compare. It fits no model.

    read: as of `train`. Raises SceneInvalid and CandlesMissing.
    """
    from forecasts.leaks import check_leaks
    from forecasts.recipe import TrainingRecipe

    candles, _ = _candles(training, read or _stored(training, settings))
    return check_leaks(TrainingRecipe(training), candles)


def listed(settings: Settings) -> list[StoredVersion]:
    """Return all versions of all models, the newest of each first."""
    with transaction(settings) as connection:
        return model_versions.versions(connection)


def shown(settings: Settings, name: str, which: str = "champion") -> Shown:
    """Return a version, by number or alias, with its card. Its file is verified on the way."""
    from services.models import model_record

    version = model_record.stored(settings, name, which)
    models_of(settings)(pinned(version.name, version.version, version.sha))
    with transaction(settings) as connection:
        card, report = model_versions.texts(connection, version.name, version.version)
    return Shown(version, card, report)


def reference_of(given: str, settings: Settings) -> str:
    """Return the pinned reference of a model that this process can ask from now on.

    given: a file, or `models:/NAME@ALIAS` or `models:/NAME/VERSION`, which is resolved now
    Raises InputInvalid and NotFound.
    """
    if given.startswith(SCHEME):
        return pinned_reference(given, settings)
    from forecasts.artifact import Model, sha_of

    try:
        content = Path(given).read_bytes()
    except OSError as error:
        raise InputInvalid(
            None,
            f"expected a file of `mela model train --out FOLDER` or a version as "
            f"{SCHEME}first@champion, but {given} cannot be read: {error.strerror}",
        ) from error
    model = Model(content, sha_of(content))  # the hash names it; nobody stated another
    models_of(settings).lend(model)
    return pinned_file(Path(given).name, model.sha)


def promote(settings: Settings, caller: Caller, name: str, which: int) -> Promoted:
    """Make a version the champion. Its file is verified first, and kept where scenes find it.

    To roll back, promote the older version. Raises NotAllowed for a viewer, NotFound, and
    InputInvalid for a file that was changed. Written into the audit log either way.
    """
    from services.models import model_record

    def note(outcome: audit.AuditOutcome, detail: dict[str, object]) -> None:
        audit.note(
            settings,
            user=caller.user,
            via="command",
            action="promote_model",
            outcome=outcome,
            subject=f"{name}/{which}",
            detail=detail,
        )

    if not caller.role.includes(Role.TRADER):
        note("refused", {"role": caller.role.value})
        raise NotAllowed(
            f"promoting a model needs the role trader, but {caller.user} is a {caller.role}. An "
            f"administrator gives it with `mela user role {caller.user} trader`."
        )
    chosen = model_record.stored(settings, name, str(which))
    models_of(settings).keep(pinned(name, chosen.version, chosen.sha))
    models_of(settings)(pinned(name, chosen.version, chosen.sha))
    with transaction(settings) as connection:
        before = model_versions.find(connection, name, model_versions.CHAMPION)
    is_shown = model_record.promote(settings, name, chosen.version)
    note("done", {"sha256": chosen.sha, "before": before.version if before else None})
    return Promoted(chosen, before, is_shown)


def _candles(
    training: Training, read: Read
) -> tuple[Mapping[str, Candles], Mapping[str, int | None]]:
    """Return the candles of each instrument with what features read, and their revisions."""
    from forecasts.features import FeatureSet
    from forecasts.fitting import check_model

    check_model(training)  # before candles are read
    features = FeatureSet(training.features)
    inputs: dict[tuple[str, Interval], Candles] = {}
    revisions: dict[str, int | None] = {}
    for series in series_of(features.inputs, training.instruments, training.interval):
        found, revision = read(*series)
        inputs[series.instrument, series.interval] = found
        revisions[f"{series.instrument} {series.interval}"] = revision
    candles: dict[str, Candles] = {}
    for name in training.instruments:
        found, revision = read(name, training.interval, features.window)
        if not len(found):
            raise CandlesMissing(
                f"expected {training.interval} candles of {name}, but none were found. Load them "
                f"first: {load_command(name, training.interval)}"
            )
        candles[name] = replace(found, inputs=inputs) if inputs else found
        revisions[f"{name} {training.interval}"] = revision
    return candles, revisions


def _stored(training: Training, settings: Settings) -> Read:
    from warehouse.candles.reader import CandleReader  # loads SQLAlchemy

    reader = CandleReader(settings)

    def read(instrument: str, interval: Interval, before: int) -> tuple[Candles, int | None]:
        span = training.start, training.end
        found = reader.read(instrument, interval, *span, before, training.prices)
        return found.candles, found.revision

    return read

"""Registered models as the warehouse records them, with MLflow as what shows them.

A model is registered in both. What a name means says the warehouse, so that scenes are planned and
sessions started while MLflow is away. A version that MLflow alone knows, of an older release or of
another warehouse, is found there, and recorded when something is registered or promoted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import structlog

from forecasts.reference import pinned
from mela.errors import NotFound, SourceUnavailable
from mela.settings import Settings
from mela.training import Training, parse_training
from services.tracking.mlflow_client import answering, answering_at_once
from warehouse import model_files, model_versions
from warehouse.database import transaction
from warehouse.model_versions import CHAMPION, NewVersion, StoredVersion

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

    from forecasts.registry import Version
    from forecasts.train import Finished

log = structlog.get_logger()
TEXTS = ("training.json", "card.md", "report.md")


class Found(NamedTuple):
    """Which file a name and a version or alias mean."""

    name: str
    version: int
    sha: str

    @property
    def reference(self) -> str:
        """Return how it is named for good."""
        return pinned(*self)


def find(settings: Settings, name: str, which: str) -> Found:
    """Return what a name means: by the warehouse's record, and else by MLflow's.

    Raises NotFound, also where the warehouse does not know it and MLflow does not answer: nobody
    shall wait for that.
    """
    with transaction(settings) as connection:
        recorded = model_versions.find(connection, name, which)
    if recorded is not None:
        return Found(recorded.name, recorded.version, recorded.sha)
    from forecasts import registry

    try:
        with answering_at_once(settings) as client:
            version = registry.version(client, name, which)
    except SourceUnavailable as error:
        raise NotFound(
            f"the warehouse records no model {name} with the version or alias {which!r}, and "
            f"MLflow at {settings.mlflow.url}, which may know one, does not answer. `mela model "
            "list` shows what there is; ask again once `mela status` says that MLflow runs."
        ) from error
    return Found(version.name, version.version, version.sha)


def check_mlflow(settings: Settings) -> None:
    """Raise SourceUnavailable unless MLflow answers."""
    with answering(settings) as client:
        client.search_experiments(max_results=1)


def trials(settings: Settings, training: Training) -> list[float]:
    """Return the Sharpe ratio per day of each earlier training on the same candles.

    NaN where a model never traded: it was tried all the same. The same training is no other trial
    than itself. What MLflow alone knows counts while it answers.
    """
    from forecasts import registry

    group = registry.group_of(training)
    with transaction(settings) as connection:
        everywhere = model_versions.trials(connection, group, but=training.training_hash())
        known = {one.sha for one in model_versions.versions(connection)}
    ratios = [math.nan if ratio is None else ratio for _, ratio in everywhere]
    try:
        with answering(settings) as client:
            in_mlflow = registry.earlier_ratios(client, group)
    except SourceUnavailable as error:
        log.warning("trials_of_mlflow_not_counted", why=str(error))
        in_mlflow = {}
    return ratios + [ratio for sha, ratio in in_mlflow.items() if sha not in known]


def register(settings: Settings, finished: Finished, scene_id: UUID | None = None) -> StoredVersion:
    """Register a finished training, in MLflow and in the warehouse. May be repeated.

    The first version of a name is champion, later ones are challengers. Raises SourceUnavailable
    where MLflow does not answer.
    """
    from forecasts import registry

    name = finished.training.name
    with answering(settings) as client:
        _adopt(settings, client, name)
        version = registry.register(client, finished)
        new = _new(version, finished.training, finished.card, finished.report, scene_id)
        with transaction(settings) as connection:
            reference = pinned(name, version.version, version.sha)
            model_files.keep(connection, finished.sha, reference, finished.content)
            model_versions.record(connection, new)
        registry.set_aliases(client, name, _aliases(settings, name))
    return stored(settings, name, str(version.version))


def promote(settings: Settings, name: str, version: int) -> bool:
    """Make a recorded version the champion; tell whether MLflow shows it, too."""
    from forecasts import registry

    with transaction(settings) as connection:
        model_versions.set_alias(connection, name, CHAMPION, version)
    try:
        with answering(settings) as client:
            registry.set_aliases(client, name, _aliases(settings, name))
    except SourceUnavailable as error:
        log.warning("alias_not_mirrored", model=name, version=version, why=str(error))
        return False
    return True


def stored(settings: Settings, name: str, which: str) -> StoredVersion:
    """Return a version by number or alias; what MLflow alone knows is recorded. Raises NotFound."""
    with transaction(settings) as connection:
        found = model_versions.find(connection, name, which)
    if found is not None:
        return found
    find(settings, name, which)  # says what there is, where it is nowhere
    with answering(settings) as client:
        _adopt(settings, client, name)
    with transaction(settings) as connection:
        found = model_versions.find(connection, name, which)
    if found is None:
        raise NotFound(f"model {name} has no version or alias {which!r}.")
    return found


def _adopt(settings: Settings, client: MlflowClient, name: str) -> None:
    """Record the versions of a model that MLflow alone knows, and its aliases if we have none."""
    from forecasts import registry

    with transaction(settings) as connection:
        known = {one.version for one in model_versions.versions(connection, name)}
    there = registry.versions(client, name)
    for one in reversed(there):
        if one.version in known:
            continue
        asked, card, report = (registry.text_of(client, one, file) for file in TEXTS)
        training = parse_training(json.loads(asked))
        with transaction(settings) as connection:
            model_versions.record(connection, _new(one, training, card, report, None))
        log.info("model_recorded", model=one.uri)
    if known:  # an alias is ours to set since then
        return
    with transaction(settings) as connection:
        for one in there:
            for alias in one.aliases:
                model_versions.set_alias(connection, name, alias, one.version)


def _new(
    version: Version, training: Training, card: str, report: str, scene_id: UUID | None
) -> NewVersion:
    from forecasts.registry import group_of

    return NewVersion(
        name=version.name,
        version=version.version,
        sha=version.sha,
        kind=version.kind,
        training_hash=training.training_hash(),
        trial_group=group_of(training),
        trained_through=datetime.fromisoformat(version.trained_through).astimezone(UTC),
        scores={key: value for key, value in version.scores.items() if math.isfinite(value)},
        verdict=version.verdict,
        card=card,
        report=report,
        scene_id=scene_id,
        mlflow_run_id=version.run_id,
    )


def _aliases(settings: Settings, name: str) -> Mapping[str, int]:
    with transaction(settings) as connection:
        versions = model_versions.versions(connection, name)
    return {alias: one.version for one in versions for alias in one.aliases}

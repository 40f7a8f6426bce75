"""Registered models in MLflow: a version for each training, with aliases champion and challenger.

A version holds the ONNX file with signature and example of its input, the report and the card; its
tags hold what a reader asks first. A loaded file is verified by its SHA-256, and no pickle is
written or read.
"""

from __future__ import annotations

import json
import math
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forecasts.artifact import Model
from mela.errors import InputInvalid, NotFound
from mela.instants import from_ms, instant_text
from mela.training import Training

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

    from forecasts.train import Finished

CHAMPION, CHALLENGER = "champion", "challenger"
EXPERIMENT = "mela.models"
SHA_TAG, DATA_TAG = "mela.sha256", "mela.trial_group"
FOLDER, FILE = "model", "model.onnx"
NEEDED = ("onnxruntime",)  # what a reader has to install; to infer it takes MLflow 7 s
EXAMPLES = 2
CURVE = "equity."  # how the names of curves begin
MOST = 1_000


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a registered model.

    aliases: what it is called beside its number; scores: undefined ones are left out
    verdict: the first sentence of its report; run_id: MLflow's, where it is known
    """

    name: str
    version: int
    sha: str
    aliases: tuple[str, ...]
    kind: str
    trained_through: str
    created_ms: int
    verdict: str
    scores: Mapping[str, float]
    run_id: str | None = None

    @property
    def uri(self) -> str:
        """Return how it is named by its number."""
        return f"models:/{self.name}/{self.version}"


def register(client: MlflowClient, finished: Finished) -> Version:
    """Store a finished training as a new version, as challenger; the first one is champion too.

    The same model again (the same SHA-256) is the version that it is already.
    """
    name, sha = finished.training.name, finished.sha
    for one in versions(client, name):
        if one.sha == sha:
            return one
    run = client.create_run(_experiment(client), run_name=f"{name} {sha[:8]}")
    run_id = run.info.run_id
    tags = _tags(finished)
    for key, value in tags.items():
        client.set_tag(run_id, key, value)
    for key, value in finished.scores.items():
        if math.isfinite(value):
            client.log_metric(run_id, key, value)
    _log_curves(client, run_id, finished)
    with tempfile.TemporaryDirectory() as folder:
        _write(finished, Path(folder) / FOLDER)
        client.log_artifacts(run_id, str(Path(folder) / FOLDER), FOLDER)
    client.set_terminated(run_id)
    is_first = not _exists(client, name)
    if is_first:
        client.create_registered_model(name)
    made = client.create_model_version(name, f"{run.info.artifact_uri}/{FOLDER}", run_id, tags=tags)
    client.set_registered_model_alias(name, CHALLENGER, made.version)
    if is_first:
        client.set_registered_model_alias(name, CHAMPION, made.version)
    return version(client, name, made.version)


def versions(client: MlflowClient, name: str | None = None) -> list[Version]:
    """Return the versions of a model, or of all, the newest of each first."""
    found: list[Version] = []
    names = [one.name for one in client.search_registered_models(max_results=MOST)]
    for each in sorted(names if name is None else {name} & set(names)):
        aliases = client.get_registered_model(each).aliases
        ours = client.search_model_versions(f"name='{each}'", max_results=MOST)
        read = [_version(client, one, aliases) for one in ours if SHA_TAG in one.tags]
        found += sorted(read, key=lambda one: -one.version)
    return found


def version(client: MlflowClient, name: str, which: str | int = CHAMPION) -> Version:
    """Return a version by its number or alias. Raises NotFound."""
    known = versions(client, name)
    for one in known:
        if str(which) == str(one.version) or which in one.aliases:
            return one
    if not known:
        names = sorted({one.name for one in versions(client)})
        there = f"there are {', '.join(names)}" if names else "none is registered"
        raise NotFound(
            f"no model is called {name!r}; {there}. `mela model train FILE` registers one."
        )
    told = ", ".join(f"{one.version}" for one in known)
    raise NotFound(
        f"model {name} has no version {which!r}; it has {told}, and the aliases "
        f"{', '.join(sorted({alias for one in known for alias in one.aliases})) or 'none'}."
    )


def promote(client: MlflowClient, name: str, which: int) -> tuple[Version, Version | None]:
    """Make a version the champion; return it, and the one that was champion before.

    Rolling back is to promote the older version.
    """
    chosen = version(client, name, which)
    before = next((one for one in versions(client, name) if CHAMPION in one.aliases), None)
    client.set_registered_model_alias(name, CHAMPION, str(chosen.version))
    return version(client, name, which), before


def set_aliases(client: MlflowClient, name: str, aliases: Mapping[str, int]) -> None:
    """Have a model's aliases as they are given; what differs is changed."""
    there = client.get_registered_model(name).aliases
    for alias, number in aliases.items():
        if str(there.get(alias)) != str(number):
            client.set_registered_model_alias(name, alias, str(number))


def load(client: MlflowClient, one: Version) -> Model:
    """Return a version's model, verified by its SHA-256. Raises InputInvalid."""
    return Model(content_of(client, one), one.sha)


def content_of(client: MlflowClient, one: Version) -> bytes:
    """Return the bytes of a version's file, not verified yet."""
    return _artifact(client, one, FILE)


def text_of(client: MlflowClient, one: Version, file: str) -> str:
    """Return `card.md`, `report.md` or `training.json` of a version."""
    return _artifact(client, one, file).decode()


def earlier_ratios(client: MlflowClient, group: str) -> dict[str, float]:
    """Return the Sharpe ratio per day of each model on the same instruments and interval.

    By its SHA-256, NaN where it never traded. They are the trials that a deflated Sharpe ratio
    counts.
    """
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return {}
    runs = client.search_runs(
        [experiment.experiment_id], f"tags.`{DATA_TAG}` = '{group}'", max_results=MOST
    )
    found = {run.data.tags[SHA_TAG]: run.data.metrics.get("sharpe_per_day") for run in runs}
    return {sha: math.nan if ratio is None else ratio for sha, ratio in found.items()}


def group_of(training: Training) -> str:
    """Return what trainings share that were chosen among: their instruments and interval."""
    return f"{','.join(training.instruments)} {training.interval}"


def _experiment(client: MlflowClient) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    return client.create_experiment(EXPERIMENT) if found is None else found.experiment_id


def _exists(client: MlflowClient, name: str) -> bool:
    return bool(client.search_registered_models(f"name='{name}'"))


def _log_curves(client: MlflowClient, run_id: str, finished: Finished) -> None:
    """Log equity by day as metrics with steps, which MLflow draws."""
    from mlflow.entities import Metric

    points = [
        Metric(f"{CURVE}{name}", float(value), 0, step)
        for name, curve in finished.curves.items()
        for step, value in enumerate(curve.tolist(), start=1)
        if math.isfinite(value)
    ]
    for first in range(0, len(points), MOST):
        client.log_batch(run_id, metrics=points[first : first + MOST])


def _tags(finished: Finished) -> dict[str, str]:
    facts = finished.facts
    return {
        SHA_TAG: finished.sha,
        DATA_TAG: group_of(finished.training),
        "mela.kind": finished.training.model.name,
        "mela.features_digest": facts.features_digest,
        "mela.revisions": json.dumps(dict(facts.revisions), sort_keys=True),
        "mela.trained_through_ms": str(facts.trained_through_ms),
        "mela.label_span_ms": str(facts.label_span_ms),
        "mela.embargo_ms": str(facts.embargo_ms),
        "mela.verdict": finished.report.partition("\n")[0],
    }


def _write(finished: Finished, folder: Path) -> None:
    """Write what MLflow calls a model, with our own bytes of the graph."""
    import onnx

    part = finished.dataset.take(np.arange(min(EXAMPLES, len(finished.dataset))))
    given = {"x": part.x, "instrument": part.instrument}
    model = Model(finished.content, finished.sha)
    answered = {"forecast": model.ask(np.ascontiguousarray(part.x), part.instrument)}
    with warnings.catch_warnings():  # MLflow warns of the hints in its own code, and of numbers
        warnings.simplefilter("ignore")
        import mlflow.onnx
        from mlflow.models import infer_signature

        mlflow.onnx.save_model(
            onnx.load_model_from_string(finished.content),
            str(folder),
            signature=infer_signature(given, answered),
            input_example=given,
            pip_requirements=list(NEEDED),
            save_as_external_data=False,
        )
    (folder / FILE).write_bytes(finished.content)  # as MLflow writes it, it has another hash
    (folder / "report.md").write_text(finished.report, encoding="utf-8")
    (folder / "card.md").write_text(finished.card, encoding="utf-8")
    training = json.dumps(finished.training.facts, indent=2)
    (folder / "training.json").write_text(training, encoding="utf-8")


def _artifact(client: MlflowClient, one: Version, file: str) -> bytes:
    run_id = client.get_model_version(one.name, str(one.version)).run_id
    if not run_id:
        raise InputInvalid(None, f"{one.uri} was not registered by `mela model train`")
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run_id, f"{FOLDER}/{file}", folder)).read_bytes()


def _version(client: MlflowClient, one: ModelVersion, aliases: Mapping[str, str]) -> Version:
    metrics = client.get_run(one.run_id).data.metrics if one.run_id else {}
    scores = {name: value for name, value in metrics.items() if not name.startswith(CURVE)}
    return Version(
        name=one.name,
        version=int(one.version),
        sha=one.tags[SHA_TAG],
        aliases=tuple(sorted(key for key, of in aliases.items() if str(of) == str(one.version))),
        kind=one.tags["mela.kind"],
        trained_through=instant_text(from_ms(int(one.tags["mela.trained_through_ms"]))),
        created_ms=int(one.creation_timestamp or 0),
        verdict=one.tags["mela.verdict"],
        scores=scores,
        run_id=one.run_id,
    )

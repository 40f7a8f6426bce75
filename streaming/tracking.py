"""Concluded scenes in MLflow: an experiment per strategy, a parent run per scene, nested its runs.

MLflow is a mirror; the warehouse is the truth. One writer, which finds its runs again by their
tags, so that a repeated batch completes what is there instead of adding to it. It speaks to the
tracking server with MlflowClient, in batches: the fluent interface makes a request per value.

A scene is written in two parts: `log_scene` its parent and the best runs, for which the scene's end
waits; `log_rest` the other runs and the picture, a slice at a time. Until that is done, the parent
is RUNNING, which is how it is found again.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from mlflow.entities import Experiment, LifecycleStage, Metric, Param, Run, RunTag, ViewType
from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import (
    MLFLOW_LOGGED_ARTIFACTS,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
    MLFLOW_RUN_NOTE,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)

from mela.metrics import METRICS
from mela.scene_words import flat, spelled
from mela.search_report import EndWarning, SearchReport
from mela.settings import Settings
from streaming import mlflow_files as files
from streaming import mlflow_view as views
from streaming import mlflow_words as words
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import users
from warehouse.scenes.stored_scene import StoredScene

SCENE_TAG = "mela.scene_id"
RUN_TAG = "mela.run_key"
TABLE_TAG, CHARTS_TAG, BEST_TAG = "mela.table", "mela.charts", "mela.best"  # paths, see mlflow_view
EXPERIMENT_KIND = "mlflow.experimentKind"
MACHINE_LEARNING = "custom_model_development"  # MLflow's page for runs rather than for traces
ENDED = ("FINISHED", "FAILED", "KILLED")  # a scene of which no run has metrics is failed
STATUS = {"succeeded": "FINISHED", "ruined": "FINISHED", "cancelled": "KILLED"}  # else FAILED
AT_ONCE = 20  # runs that a scene's end waits for
WRITERS = 4  # runs that are written at once: MLflow's server has several workers, and a run costs
# three requests after each other
PER_BATCH = 100  # parameters that MLflow takes in a request
NOBODY = "unknown"  # a scene that was published without a user


def client_of(settings: Settings) -> MlflowClient:
    """Return a client of the tracking server that signs in where the server asks for it.

    MLflow takes user and password from the environment only.
    """
    account = settings.mlflow
    if account.user:
        os.environ["MLFLOW_TRACKING_USERNAME"] = account.user
        os.environ["MLFLOW_TRACKING_PASSWORD"] = account.password.get_secret_value()
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)  # it would read each run again to print it
    return MlflowClient(tracking_uri=account.url)


class Concluded(NamedTuple):
    """A scene whose runs are all recorded.

    best: result documents, the best overall first; empty where no run has metrics
    report: what its search has proved
    """

    scene_id: str
    scene: StoredScene
    best: Sequence[Mapping[str, Any]]
    warnings: Sequence[EndWarning] = ()
    report: Mapping[str, Any] | None = None

    @property
    def strategy(self) -> str:
        """Return the name of the strategy."""
        return self.scene.strategy

    @property
    def rank_by(self) -> str:
        """Return the metric that ranks the runs."""
        return self.scene.rank_by


class Child(NamedTuple):
    """A run of a scene in MLflow. is_whole: with its parameters, its metrics and its end."""

    run_id: str
    is_whole: bool


Children = dict[str, Child]  # by run_key


def log_scene(concluded: Concluded, settings: Settings) -> str:
    """Write a concluded scene's parent and best runs to MLflow; return the parent's id.

    May be repeated. The other runs and the picture are left to `log_rest`.
    """
    client = client_of(settings)
    experiment_id = _experiment(client, concluded.strategy)
    most = max(files.IN_CSV, _children(concluded, settings))
    with transaction(settings) as connection:
        rows = results.of_scene(
            connection, concluded.scene_id, order_by=concluded.scene.ranking, limit=most
        )
        user = users.name_of(connection, concluded.scene.user_id) or NOBODY
    parent = _parent(client, experiment_id, concluded, user)
    if parent.info.status in ENDED:
        return parent.info.run_id
    children = rows[: _children(concluded, settings)]
    compared = _log_children(client, parent, children[:AT_ONCE], children)
    _log_parent(client, parent, concluded, rows, compared[: views.MOST_COMPARED])
    with tempfile.TemporaryDirectory() as folder:
        files.write_tables(Path(folder), rows, concluded.report)
        if concluded.best:
            files.write_curve(Path(folder), concluded.best[0], settings)
        client.log_artifacts(parent.info.run_id, folder)
    return parent.info.run_id


def log_rest(
    concluded: Concluded, settings: Settings, until: float, children: Children | None = None
) -> bool:
    """Write what a scene's end did not wait for; return whether all of it is written.

    until: the time.monotonic() after which no further run is begun
    children: what an earlier call of this process left there for this scene; filled in place
    """
    client = client_of(settings)
    parent = _found(client, [_experiment(client, concluded.strategy)], concluded.scene_id)
    if parent is None or parent.info.status in ENDED:  # somebody deleted it: that is respected
        return True
    most = _children(concluded, settings)
    with transaction(settings) as connection:
        rows = results.of_scene(
            connection, concluded.scene_id, order_by=concluded.scene.ranking, limit=most
        )
    written = _log_children(client, parent, rows, rows, until, children)
    if len(written) < len(rows):
        return False
    if settings.mlflow_picture and concluded.best:
        with tempfile.TemporaryDirectory() as folder:
            files.write_picture(Path(folder), concluded.scene, concluded.best[0], rows, settings)
            client.log_artifacts(parent.info.run_id, folder)
    client.set_terminated(parent.info.run_id, "FINISHED" if concluded.best else "FAILED")
    return True


def unfinished(settings: Settings) -> set[str]:
    """Return the scenes of which MLflow has a part, by their parents that still run."""
    client = client_of(settings)
    ids = [one.experiment_id for one in client.search_experiments(max_results=1_000)]
    where = f"attributes.status = 'RUNNING' AND tags.`{SCENE_TAG}` LIKE '%'"
    return {run.data.tags[SCENE_TAG] for run in _search(client, ids, where)} if ids else set()


def _children(concluded: Concluded, settings: Settings) -> int:
    return settings.mlflow_top if concluded.scene.runs > 1 else 0


def _experiment(client: MlflowClient, strategy: str) -> str:
    """Return a strategy's experiment, of a kind and with a description as our pages show it."""
    found = _experiment_of(client, strategy)
    wanted = {
        EXPERIMENT_KIND: MACHINE_LEARNING,
        MLFLOW_RUN_NOTE: (  # an experiment's description has the same tag
            f"Scenes of the strategy `{strategy}`, written by Mela. Each run is a scene with the "
            "metrics of its best run; nested below it are its runs, the best first. A scene's "
            "description links to its table, its charts and its best three side by side."
        ),
    }
    for name, value in wanted.items():
        if name not in found.tags:  # what somebody chose or wrote stays
            client.set_experiment_tag(found.experiment_id, name, value)
    return found.experiment_id


def _experiment_of(client: MlflowClient, strategy: str) -> Experiment:
    found: Experiment | None = client.get_experiment_by_name(strategy)
    if found is not None:
        if found.lifecycle_stage == LifecycleStage.DELETED:  # its name is taken until it is purged
            client.restore_experiment(found.experiment_id)
        return found
    try:
        return client.get_experiment(client.create_experiment(strategy))
    except MlflowException:
        found = client.get_experiment_by_name(strategy)  # another writer was faster
        if found is None:
            raise
        return found


def _parent(client: MlflowClient, experiment_id: str, concluded: Concluded, user: str) -> Run:
    found = _found(client, [experiment_id], concluded.scene_id)
    if found is not None:
        return found
    name = concluded.scene.name or f"{concluded.strategy} {concluded.scene_id[:8]}"
    tags = {SCENE_TAG: concluded.scene_id, **_origin(user, concluded.strategy)}
    return client.create_run(experiment_id, tags=tags, run_name=name)


def _origin(user: str, strategy: str) -> dict[str, str]:
    return {MLFLOW_USER: user, MLFLOW_SOURCE_NAME: f"mela {strategy}", MLFLOW_SOURCE_TYPE: "LOCAL"}


def _found(client: MlflowClient, experiment_ids: list[str], scene_id: str) -> Run | None:
    where = f"tags.`{SCENE_TAG}` = '{UUID(scene_id)}'"
    return next(_search(client, experiment_ids, where), None)


def _search(client: MlflowClient, experiment_ids: list[str], where: str) -> Iterator[Run]:
    token = None
    while True:
        page = client.search_runs(
            experiment_ids, where, ViewType.ACTIVE_ONLY, max_results=1_000, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _log_parent(
    client: MlflowClient,
    parent: Run,
    concluded: Concluded,
    rows: Sequence[Mapping[str, Any]],
    compared: Sequence[str],
) -> None:
    """Write a scene's question, its best numbers, and where its runs are compared."""
    run_id, experiment_id = parent.info.run_id, parent.info.experiment_id
    paragraphs = words.scene_description(
        concluded.scene, rows, concluded.rank_by, concluded.warnings
    )
    tags = {TABLE_TAG: views.run_path(experiment_id, run_id)}
    if compared:
        received = int(concluded.scene.received_at.timestamp())
        key = f"mela-{received:x}-{concluded.scene_id[:8]}"  # sorted by age
        shown = rows[: files.IN_TABLE]
        named = words.labels(words.varied(shown))
        longest = max(len(words.run_name(len(shown), row, named)) for row in shown)
        axes = words.axes(shown, named)
        state = views.view(run_id, list(axes), list(axes.values()), concluded.rank_by, longest)
        _keep_view(client, experiment_id, key, views.packed(state))
        tags[TABLE_TAG] = views.table_path(experiment_id, key)
        tags[CHARTS_TAG] = views.chart_path(experiment_id, key)
        tags[BEST_TAG] = views.compare_path(experiment_id, compared)
        paragraphs.append(
            f"Compare: [all runs in a table]({tags[TABLE_TAG]}), [in charts]({tags[CHARTS_TAG]}), "
            f"[the best {len(compared)} side by side]({tags[BEST_TAG]})."
        )
    paragraphs.append(f"Read again: `mela results {concluded.scene_id}`")
    tags[MLFLOW_RUN_NOTE] = "\n\n".join(paragraphs)
    tags[MLFLOW_LOGGED_ARTIFACTS] = json.dumps([{"path": files.TABLE, "type": "table"}])
    best = concluded.best[0] if concluded.best else None
    terms = flat(concluded.scene.content) | {"runs": concluded.scene.runs}
    metrics = [*(_metrics(best) if best else ()), *_headline(concluded.report)]
    _log(client, run_id, {name: spelled(value) for name, value in terms.items()}, metrics, tags)


def _keep_view(client: MlflowClient, experiment_id: str, key: str, view: str) -> None:
    """Keep a view in the experiment, and there only the newest ones."""
    tags = client.get_experiment(experiment_id).tags
    views_kept = sorted(name for name in tags if name.startswith(f"{views.VIEW_TAG}mela-"))
    for name in views_kept[: max(0, len(views_kept) - views.MOST_VIEWS + 1)]:
        client.delete_experiment_tag(experiment_id, name)
    client.set_experiment_tag(experiment_id, f"{views.VIEW_TAG}{key}", view)


def _log_children(
    client: MlflowClient,
    parent: Run,
    rows: Sequence[Mapping[str, Any]],
    ranked: Sequence[Mapping[str, Any]],
    until: float = float("inf"),
    children: Children | None = None,
) -> list[str]:
    """Write runs, the best first, until the time is up; return the ids of those that are written.

    ranked: all runs that will be written, which say what varies
    children: the runs that MLflow has; where this is empty, MLflow is asked for them
    """
    children = {} if children is None else children
    if rows and not children:
        children.update(_children_of(client, parent))
    named = words.labels(words.varied(ranked))
    axes = words.axes(ranked, named)
    origin = {name: parent.data.tags[name] for name in _origin("", "")}
    failed = threading.Event()

    def write(place: int, row: Mapping[str, Any]) -> str | None:
        child = children.get(row["run_key"])
        if child is not None and child.is_whole:
            return child.run_id
        if failed.is_set() or time.monotonic() > until:
            return None
        try:
            if child is None:
                tags = {MLFLOW_PARENT_RUN_ID: parent.info.run_id, RUN_TAG: row["run_key"]}
                tags[MLFLOW_RUN_NAME] = words.run_name(place, row, named)
                tags |= origin | _answer_tags(row)
                created = client.create_run(parent.info.experiment_id, tags=tags)
                child = children[row["run_key"]] = Child(created.info.run_id, is_whole=False)
            params = words.params_of(row, named, axes)
            _log(client, child.run_id, params, list(_metrics(row)))
            client.set_terminated(child.run_id, STATUS.get(row["status"], "FAILED"))
        except Exception:
            failed.set()  # the runs that wait for a writer are left, too
            raise
        children[row["run_key"]] = child._replace(is_whole=True)
        return child.run_id

    with ThreadPoolExecutor(WRITERS, thread_name_prefix="mlflow-run") as writers:
        written = list(writers.map(write, range(1, len(rows) + 1), rows))
    return [run_id for run_id in written if run_id is not None]


def _children_of(client: MlflowClient, parent: Run) -> Children:
    """Ask MLflow for a scene's runs: seconds for some hundreds, as each comes with its metrics."""
    where = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'"
    return {
        run.data.tags.get(RUN_TAG, ""): Child(run.info.run_id, run.info.status in ENDED)
        for run in _search(client, [parent.info.experiment_id], where)
    }


def _answer_tags(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "mela.result_key": row["result_key"],
        "mela.cached": str(row["cached"]).lower(),
        "mela.status": row["status"],
        "mela.lookahead": row["lookahead"] or "not_verified",
        "mela.warnings": ", ".join(row["warnings"]),
    }


def _log(
    client: MlflowClient,
    run_id: str,
    params: Mapping[str, str],
    metrics: Sequence[Metric],
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write what a run has, in as few requests as MLflow takes."""
    parameters = [Param(name, value[: words.MOST_OF_PARAM]) for name, value in params.items()]
    marks = [RunTag(name, value) for name, value in (tags or {}).items()]
    client.log_batch(run_id, params=parameters[:PER_BATCH], metrics=metrics, tags=marks)
    for start in range(PER_BATCH, len(parameters), PER_BATCH):
        client.log_batch(run_id, params=parameters[start : start + PER_BATCH])


def _metrics(row: Mapping[str, Any]) -> Iterator[Metric]:
    for name in (*METRICS, "periods_per_year", "candles"):
        if row[name] is not None:
            yield Metric(name, float(row[name]), timestamp=0, step=0)


def _headline(report: Mapping[str, Any] | None) -> Iterator[Metric]:
    if report is None:
        return
    for name, value in SearchReport.model_validate(report).headline().items():
        yield Metric(name, value, timestamp=0, step=0)

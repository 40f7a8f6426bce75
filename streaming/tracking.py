"""Concluded scenes in MLflow: an experiment per strategy, a parent run per scene, nested the best.

MLflow is a mirror; the warehouse is the truth. One writer, which finds its runs again by their
tags, so that a repeated batch completes what is there instead of adding to it. It speaks to the
tracking server with MlflowClient, in batches: the fluent interface makes a request per value.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pandas as pd
from mlflow.entities import Experiment, LifecycleStage, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from backtests.charts.equity import equity_chart
from mela.metrics import METRICS
from mela.run_terms import ACCOUNT, PARTS
from mela.search_report import SearchReport
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.results import finder as results

SCENE_TAG = "mela.scene_id"
RUN_TAG = "mela.run_key"
ENDED = ("FINISHED", "FAILED")  # a scene of which no run has metrics is failed
MAX_PARAM = 500  # MLflow's own limit is larger, but nobody reads more in its table


def log_scene(
    scene_id: str,
    scene: Mapping[str, Any],
    best: Sequence[Mapping[str, Any]],
    rank_by: str,
    settings: Settings,
    report: Mapping[str, Any] | None = None,
) -> str:
    """Write a concluded scene to MLflow; return the parent's run id. May be repeated.

    report: what its search has proved; its headline becomes metrics, the whole an artifact
    """
    client = MlflowClient(tracking_uri=settings.mlflow.url)
    strategy = str(scene["content"]["strategy"]["name"])
    experiment_id = _experiment(client, strategy)
    with transaction(settings) as connection:
        rows = results.of_scene(connection, scene_id, order_by=rank_by)
    parent = _parent(client, experiment_id, scene_id, scene)
    if parent.info.status in ENDED:
        return parent.info.run_id
    _log_children(client, parent, rows[: _children(scene, settings)])
    overall = best[0] if best else None
    client.log_batch(
        parent.info.run_id,
        params=list(_params(_flat(scene["content"]) | {"runs": scene["runs"]})),
        metrics=[*(_metrics(overall) if overall else ()), *_headline(report)],
    )
    with tempfile.TemporaryDirectory() as folder:
        _write_artifacts(Path(folder), rows, overall, settings)
        if report is not None:
            (Path(folder) / "report.json").write_bytes(
                orjson.dumps(report, option=orjson.OPT_INDENT_2)
            )
        client.log_artifacts(parent.info.run_id, folder)
    client.set_terminated(parent.info.run_id, "FINISHED" if best else "FAILED")
    return parent.info.run_id


def _children(scene: Mapping[str, Any], settings: Settings) -> int:
    return settings.mlflow_top if scene["runs"] > 1 else 0


def _experiment(client: MlflowClient, strategy: str) -> str:
    found: Experiment | None = client.get_experiment_by_name(strategy)
    if found is not None:
        if found.lifecycle_stage == LifecycleStage.DELETED:  # its name is taken until it is purged
            client.restore_experiment(found.experiment_id)
        return found.experiment_id
    try:
        return client.create_experiment(strategy)
    except MlflowException:
        found = client.get_experiment_by_name(strategy)  # another writer was faster
        if found is None:
            raise
        return found.experiment_id


def _parent(
    client: MlflowClient, experiment_id: str, scene_id: str, scene: Mapping[str, Any]
) -> Run:
    found = client.search_runs(
        [experiment_id],
        f"tags.`{SCENE_TAG}` = '{UUID(scene_id)}'",
        ViewType.ACTIVE_ONLY,
        max_results=1,
    )
    if found:
        return found[0]
    name = scene["name"] or f"{scene['content']['strategy']['name']} {scene_id[:8]}"
    return client.create_run(experiment_id, tags={SCENE_TAG: scene_id}, run_name=name)


def _log_children(client: MlflowClient, parent: Run, rows: Sequence[Mapping[str, Any]]) -> None:
    found = client.search_runs(
        [parent.info.experiment_id],
        f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'",
        ViewType.ACTIVE_ONLY,
        max_results=1000,
    )
    known = {run.data.tags.get(RUN_TAG): run for run in found}
    for place, row in enumerate(rows, start=1):
        child = known.get(row["run_key"])
        if child is not None and child.info.status == "FINISHED":
            continue
        if child is None:
            tags = {
                MLFLOW_PARENT_RUN_ID: parent.info.run_id,
                RUN_TAG: row["run_key"],
                MLFLOW_RUN_NAME: f"{place} {_label(row)}",
            }
            child = client.create_run(parent.info.experiment_id, tags=tags)
        client.log_batch(
            child.info.run_id,
            params=list(_params(_asked(row))),
            metrics=list(_metrics(row)),
            tags=[
                RunTag("mela.result_key", row["result_key"]),
                RunTag("mela.cached", str(row["cached"]).lower()),
                RunTag("mela.status", row["status"]),
                RunTag("mela.warnings", ", ".join(row["warnings"])),
            ],
        )
        client.set_terminated(child.info.run_id, "FINISHED")


def _label(row: Mapping[str, Any]) -> str:
    params = " ".join(f"{name}={value}" for name, value in row["params"].items())
    return f"{' + '.join(row['instruments'])} {params}"


def _asked(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("instruments", "interval", "start", "end", *ACCOUNT)
    fields = {name: row[name] for name in names} | {"strategy": row["strategy"]["name"]}
    return fields | _flat(
        {name: row[name] for name in ("params", *PARTS)}
        | ({"portfolio": row["portfolio"]} if row["portfolio"] else {})
    )


def _flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _params(fields: Mapping[str, Any]) -> Iterator[Param]:
    for name, value in fields.items():
        if value is None or value == {}:
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        yield Param(name, shown[:MAX_PARAM])


def _metrics(row: Mapping[str, Any]) -> Iterator[Metric]:
    for name in (*METRICS, "periods_per_year", "candles"):
        if row[name] is not None:
            yield Metric(name, float(row[name]), timestamp=0, step=0)


def _headline(report: Mapping[str, Any] | None) -> Iterator[Metric]:
    if report is None:
        return
    for name, value in SearchReport.model_validate(report).headline().items():
        yield Metric(name, value, timestamp=0, step=0)


def _write_artifacts(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any] | None,
    settings: Settings,
) -> None:
    table = pd.DataFrame([_table_row(row) for row in rows])
    table.to_csv(folder / "runs.csv", index=False)
    if best is None:
        return
    with transaction(settings) as connection:
        curve = results.curve(connection, best["result_key"])
    if curve is not None:
        equity_chart(curve, best, folder / "equity.png")


def _table_row(row: Mapping[str, Any]) -> dict[str, Any]:
    first = ("run_key", "result_key", "status", "cached", "candles")
    return _asked(row) | {name: row[name] for name in (*first, *METRICS)}

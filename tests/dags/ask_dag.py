"""Answer the tests' questions about the DAGs, in a process of its own.

Airflow configures logging, signals and a home folder on import: pytest stays clean of that.
Reads questions as JSON from stdin, writes answers as JSON to the file named first.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from mela.settings import Settings
from warehouse import dbt_project

DAGS = Path(__file__).resolve().parents[2] / "dags"
LIGHT = {"warehouse", "warehouse.dbt_project"}


def intervals(dag: Any, latest: str) -> list[tuple[str, str]]:
    """Return the data intervals that the scheduler, catching up, would run until an instant."""
    infos = dag.iter_dagrun_infos_between(dag.start_date, datetime.fromisoformat(latest))
    found = [info.data_interval for info in infos][-3:]
    return [(one.start.isoformat(), one.end.isoformat()) for one in found]


def accepts(dag: Any, conf: dict[str, Any]) -> bool:
    """Tell whether a trigger with this conf passes the params' schema."""
    serialized = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    try:
        serialized.params.deep_merge(conf).validate()
    except ParamValidationError:
        return False
    return True


def told(dag: Any) -> dict[str, Any]:
    """Return what a DAG says of itself, its params and its tasks."""
    serialized = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    params = [dag.params.get_param(name) for name in dag.params]
    waits = dag.timetable.asset_condition
    at_work = [task for task in dag.tasks if task.task_type != "EmptyOperator"]
    coming = serialized.next_dagrun_info(last_automated_run_info=None)
    return {
        "due_at_once": bool(coming and coming.run_after <= datetime.now(UTC)),
        "catchup": serialized.catchup,
        "paused": serialized.is_paused_upon_creation,
        "alerts": serialized.has_on_failure_callback,
        "documented": bool(dag.doc_md and dag.description),
        "owner": dag.owner,
        "bare_params": [
            param.schema for param in params if not {"title", "description_md"} <= {*param.schema}
        ],
        "endless": [task.task_id for task in at_work if not task.execution_timeout],
        "defers": [
            task.task_id
            for task in dag.tasks
            if getattr(task, "deferrable", False) or getattr(task, "start_from_trigger", False)
        ],
        "unretried": [task.task_id for task in at_work if not task.retries],
        "pools": sorted({task.pool for task in dag.tasks}),
        "assets": sorted(asset.uri for asset in waits.objects) if waits else [],
    }


def again(dag: Any) -> list[str]:
    """Return what fails a DAG's tasks and is tried again, of what Mela and Python raise."""
    from mela import errors

    raised = (
        errors.SourceUnavailable("down"),
        errors.SourceRefused("unknown"),
        errors.CandlesMissing("none"),
        errors.SceneInvalid(errors.RejectionCode.UNKNOWN_STRATEGY, None, "gone"),
        ValueError("wrong"),
        OSError("cut"),
    )
    [policy] = {id(task.retry_policy): task.retry_policy for task in dag.tasks}.values()
    judged = {type(one).__name__: policy.evaluate(one, 1, 4).action for one in raised}
    return sorted(name for name, action in judged.items() if action.value != "fail")


def nodes() -> dict[str, Any]:
    """Return what build_marts_by_model knows of dbt's nodes."""
    found = json.loads(dbt_project.manifest(Settings()).read_bytes())["nodes"]
    return {
        name: {
            "kind": node["resource_type"],
            "parents": node["depends_on"]["nodes"],
            "test": (node.get("test_metadata") or {}).get("name"),
        }
        for name, node in found.items()
    }


def main() -> None:
    """Answer every question."""
    questions = json.load(sys.stdin)
    bag = BundleDagBag(DAGS, bundle_path=DAGS, bundle_name="dags-folder")
    rooms = {
        name for name in sys.modules if name.split(".")[0] in ("warehouse", "sources", "streaming")
    }
    ingestion = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["ingest_candles"]))
    answers = {
        "errors": bag.import_errors,
        "dags": {name: told(dag) for name, dag in bag.dags.items()},
        "rooms_imported": sorted(rooms - LIGHT),
        "slowest_s": max(file.duration.total_seconds() for file in bag.dagbag_stats),
        "intervals": intervals(ingestion, questions["latest"]),
        "accepts": [accepts(bag.dags[name], conf) for name, conf in questions["confs"]],
        "again": again(bag.dags["publish_scenes"]),
        "manifest": nodes(),
        "build": {
            name: [asset.uri for asset in task.outlets]
            for name, task in bag.dags["build_marts"].task_dict.items()
        },
        "models": sorted(bag.dags["build_marts_by_model"].task_dict),
    }
    Path(sys.argv[1]).write_text(json.dumps(answers))


main()

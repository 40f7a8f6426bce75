"""Run DAGs for the tests, in a process of its own: each step is one whole DAG run.

Airflow configures logging, signals and a home folder on import: pytest stays clean of that.
Reads steps as JSON from stdin, writes what became of them as JSON to the file named first. The
database, the market data and the warehouse are real; only the scheduler is Airflow's small one
(`dag.test`), which runs one task after the other.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.models.asset import AssetDagRunQueue, AssetEvent
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from sqlalchemy import select

DAGS = Path(__file__).resolve().parents[2] / "dags"


def run(bag: BundleDagBag, step: dict[str, Any]) -> dict[str, Any]:
    """Run one DAG as a step says, and return states, what tasks returned, and the asset events."""
    when = {"logical_date": datetime.fromisoformat(step["date"])} if step.get("date") else {}
    dag = bag.dags[step["dag"]]
    dag_run = dag.test(run_conf=step.get("conf") or {}, **when)
    tasks: dict[str, list[str]] = {}
    for instance in sorted(dag_run.get_task_instances(), key=lambda one: one.map_index):
        tasks.setdefault(instance.task_id, []).append(str(instance.state))
    with create_session() as session:
        events = session.scalars(
            select(AssetEvent).where(AssetEvent.source_run_id == dag_run.run_id)
        )
        told = [(event.asset.uri, event.extra) for event in events]
        queued = session.scalars(
            select(DagModel.dag_id).join(
                AssetDagRunQueue, AssetDagRunQueue.target_dag_id == DagModel.dag_id
            )
        )
        waiting = sorted(set(queued))
    return {
        "state": str(dag_run.state),
        "run_id": dag_run.run_id,
        "tasks": tasks,
        "told": told,
        "waiting": waiting,
    }


def main() -> None:
    """Run every step."""
    bag = BundleDagBag(DAGS, bundle_path=DAGS, bundle_name="dags-folder")
    assert not bag.import_errors, bag.import_errors
    Path(sys.argv[1]).write_text(json.dumps([run(bag, step) for step in json.load(sys.stdin)]))


main()

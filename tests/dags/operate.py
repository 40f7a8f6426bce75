"""Run DAGs for the tests, in a process of its own that lives as long as they do.

Airflow configures logging, signals and a home folder on import: pytest stays clean of that. Reads
one JSON order a line from stdin, answers each with a line of JSON on the descriptor named first.
Database, market data, warehouse and tasks are the real ones; only the scheduler is small: it runs
one task after the other, here.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.cli.cli_parser import get_parser
from airflow.dag_processing import dagbag
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.models.asset import AssetDagRunQueue, AssetEvent
from airflow.models.backfill import Backfill
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk.definitions.dag import _run_task
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import delete, select, update

BUNDLE = "dags-folder"


def load_dags() -> BundleDagBag:
    """Prepare Airflow's database, and put the DAGs there as the DAG processor does."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    with create_session() as session:
        initdb(session=session)
        DagBundlesManager().sync_bundles_to_db(session=session)
    folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    bag = BundleDagBag(folder, bundle_path=folder, bundle_name=BUNDLE)
    assert not bag.import_errors, bag.import_errors
    sync_bag_to_db(bag, BUNDLE, None)
    keep(bag)
    return bag


def keep(bag: BundleDagBag) -> None:
    """Let `dag.test` run what was just read and stored: its files change as little as they do here.

    Before each run it would read, serialize and store every DAG anew, so that other DAGs are known
    that an author edited meanwhile (airflow#64884). That costs more than most of these runs.
    """
    dagbag.BundleDagBag = lambda **_: bag
    dagbag.sync_bag_to_db = lambda *_: None


def run(bag: BundleDagBag, order: dict[str, Any]) -> dict[str, Any]:
    """Run one DAG once, by `dag.test`."""
    when = {"logical_date": datetime.fromisoformat(order["date"])} if order.get("date") else {}
    dag_run = bag.dags[order["dag"]].test(run_conf=order.get("conf") or {}, **when)
    return described(dag_run.run_id)


def backfill(bag: BundleDagBag, order: dict[str, Any]) -> dict[str, Any]:
    """Call `airflow backfill create`, then run what it created, oldest first."""
    words = ["backfill", "create", "--dag-id", order["dag"], *order["words"]]
    arguments = get_parser().parse_args(words)
    arguments.func(arguments)
    with create_session() as session:
        created = session.scalars(
            select(DagRun.id)
            .where(DagRun.dag_id == order["dag"], DagRun.state == "queued")
            .order_by(DagRun.logical_date)
        ).all()
    dag = bag.dags[order["dag"]]
    written = DagSerialization.to_dict(dag)
    states = [finish(dag, DagSerialization.from_dict(written), one) for one in created]
    with create_session() as session:  # as the scheduler does once all have ended
        session.execute(update(Backfill).values(completed_at=datetime.now().astimezone()))
    return {"states": states}


def queue(bag: BundleDagBag, order: dict[str, Any]) -> dict[str, Any]:
    """Create a DAG run that waits, as the scheduler does while another one is active."""
    with create_session() as session:
        waiting = DagRun(
            dag_id=order["dag"],
            run_id=order["run_id"],
            run_type=DagRunType.MANUAL,
            run_after=datetime.now().astimezone(),
            state=DagRunState.QUEUED,
            triggered_by=DagRunTriggeredByType.TEST,
        )
        session.add(waiting)
    return {}


def unqueue(bag: BundleDagBag, order: dict[str, Any]) -> dict[str, Any]:
    """Remove a DAG run that waits."""
    with create_session() as session:
        session.execute(
            delete(DagRun).where(DagRun.dag_id == order["dag"], DagRun.run_id == order["run_id"])
        )
    return {}


def finish(dag: Any, serialized: Any, run_id: int) -> str:
    """Run a queued DAG run to its end, as `dag.test` runs the one that it makes."""
    with create_session() as session:
        dag_run = session.get_one(DagRun, run_id)
        dag_run.dag = serialized
        dag_run.state = "running"
        while dag_run.state == "running":
            session.commit()
            ready, _ = dag_run.update_state(session=session)
            for instance in ready:
                instance.try_number += 1
                instance.state = "scheduled"
            session.commit()
            for instance in ready:
                task = dag.task_dict[instance.task_id]
                if isinstance(task, EmptyOperator):  # the scheduler starts no process for it either
                    instance.set_state("success", session=session)
                else:
                    _run_task(ti=instance, task=task)
            session.expire_all()
        return str(dag_run.state)


def described(run_id: str) -> dict[str, Any]:
    """Return a run's states, its asset events, and the DAGs that wait for a run because of any."""
    with create_session() as session:
        dag_run = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()
        tasks: dict[str, list[str]] = {}
        for instance in sorted(dag_run.get_task_instances(), key=lambda one: one.map_index):
            tasks.setdefault(instance.task_id, []).append(str(instance.state))
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run_id))
        queued = session.scalars(
            select(DagModel.dag_id).join(
                AssetDagRunQueue, AssetDagRunQueue.target_dag_id == DagModel.dag_id
            )
        )
        answer = {
            "state": str(dag_run.state),
            "run_id": run_id,
            "tasks": tasks,
            "told": [(event.asset.uri, event.extra) for event in events],
            "waiting": sorted(set(queued)),
        }
        session.execute(delete(AssetDagRunQueue))
        return answer


DO = {"run": run, "backfill": backfill, "queue": queue, "unqueue": unqueue}


def main() -> None:
    """Follow orders until there are no more."""
    with os.fdopen(int(sys.argv[1]), "w") as answers:
        bag = load_dags()
        for line in sys.stdin:
            order = json.loads(line)
            answer = DO[order["do"]](bag, order)
            print(json.dumps(answer), file=answers, flush=True)


main()

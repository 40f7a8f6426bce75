"""Build the star schema: one dbt for all models, each with its own tests.

It runs when ingestion or backfill changed candles, and once a day for runs and results. If many
runs are requested while one builds, as after a backfill day by day, the last of them builds for
all. `build_marts_by_model` does the same with a task for each model.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import chain, dag, task
from building import ALONE
from cosmos.operators.local import DbtBuildLocalOperator
from policies import EVERY_BUILD, MARTS, changes_or


@dag(
    schedule=changes_or("0 4 * * *"),
    max_active_runs=1,
    description="Build the star schema with one dbt, and test it.",
    doc_md=__doc__,
    tags=["marts"],
    **EVERY_BUILD,
)
def build_marts() -> None:
    """Define the DAG: the build, unless a later run is there to do it."""

    @task.short_circuit
    def is_last(ti: Any = None) -> bool:
        """Tell whether no later run waits: that one sees all that this one would, and more."""
        later = ti.get_dr_count(dag_id="build_marts", states=["queued"])
        if later:
            print(f"{later} later runs wait for this one; the last of them builds.")  # noqa: T201 - the task's log
        return not later

    chain(is_last(), DbtBuildLocalOperator(task_id="build", outlets=[MARTS], **ALONE))


build_marts()

"""Ingest candles: one run per day of data, one mapped task per series.

It runs on schedule, by hand with another span and list of instruments, and through
`airflow backfill create`. Loads are idempotent, so any run may be repeated.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import CronDataIntervalTimetable, dag, task
from loading import announce_param, instant_param, load_by_service, most_tasks, series_param
from policies import EVERY_DAG, SINCE

PARAMS = {
    "instruments": series_param(
        "Empty: the watch list (`mela watch`), or, where that is empty, four well-known series."
    ),
    "start": instant_param(
        "Start",
        "First `opened_at`, with its zone, as `2023-01-01T00:00:00Z`. "
        "Empty: the run's day and three days before it, because vendors correct young candles.",
    ),
    "end": instant_param("End", "Exclusive. Empty: the end of the run's day. Needs a start."),
    "announce": announce_param(),
}


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=SINCE,
    max_active_runs=2,
    params=PARAMS,
    description="Ingest each day of candles, one mapped task per series.",
    doc_md=__doc__,
    tags=["ingestion"],
    **EVERY_DAG,
)
def ingest_candles() -> None:
    """Define the DAG: plan the loads, then run them."""

    @task
    def plan_loads(service: str, params: Any = None, dag_run: Any = None) -> list[Any]:
        """Return the loads of one service's series, a batch per series while the plan is short."""
        from mela.settings import Settings
        from warehouse.ingestion import load_plan as loads

        day = loads.whole_day(
            dag_run.data_interval_start, dag_run.data_interval_end, dag_run.run_after
        )
        series = loads.chosen_series(params["instruments"], Settings())
        wanted = loads.daily_loads(series, params["start"], params["end"], day)
        return loads.batch_loads(wanted, service, most_tasks(), None, dag_run.start_date)

    load_by_service(plan_loads)


ingest_candles()

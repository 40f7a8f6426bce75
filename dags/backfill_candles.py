"""Backfill any range of candles in chunks. Chunks that are already loaded are skipped.

Start it by hand, from the form behind the trigger button. It is resumable: a run that fails or is
stopped keeps its finished chunks, and the next run over the same range loads the others.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task
from loading import announce_param, instant_param, load_by_service, most_tasks, series_param
from policies import EVERY_DAG

PARAMS = {
    "instruments": series_param("Empty: the watch list."),
    "start": instant_param(
        "Start", "First `opened_at`, with its zone, such as `2019-01-01T00:00:00Z`.", required=True
    ),
    "end": instant_param("End", "Exclusive. Empty: today, 00:00 UTC."),
    "chunk_candles": Param(
        50_000,
        type="integer",
        minimum=100,
        maximum=1_000_000,
        title="Candles in a chunk",
        description_md="A chunk is one load: one task, one transaction, one retry. "
        "50,000 candles are a month of 1m, or five years of 1h.",
    ),
    "force": Param(
        False,
        type="boolean",
        title="Load again",
        description_md="Also load chunks that were loaded before, such as after a vendor corrected "
        "their history. Unchanged candles stay as they are.",
    ),
    "announce": announce_param(),
}


@dag(
    schedule=None,
    max_active_runs=1,  # a second run waits and then skips the first one's chunks
    params=PARAMS,
    description="Backfill any range of candles in chunks; chunks already loaded are skipped.",
    doc_md=__doc__,
    tags=["ingestion"],
    **EVERY_DAG,
)
def backfill_candles() -> None:
    """Define the DAG: plan the missing chunks, then load them."""

    @task
    def plan_chunks(service: str, params: Any = None, dag_run: Any = None) -> list[Any]:
        """Return the missing chunks of one service's series."""
        from mela.settings import Settings
        from warehouse.ingestion import load_plan as loads

        settings, force = Settings(), params["force"]
        today = loads.whole_day(None, None, dag_run.run_after)
        start, end = loads.requested_span(params["start"], params["end"], today)
        wanted = loads.missing_loads(
            loads.chosen_series(params["instruments"], settings),
            start or today[0],
            end,
            settings,
            force=force,
            chunk_candles=params["chunk_candles"],
        )
        asked_at = dag_run.start_date
        return loads.batch_loads(
            wanted, service, most_tasks(), asked_at if force else loads.EVER, asked_at
        )

    load_by_service(plan_chunks)


backfill_candles()

"""Load any range of candles, in chunks: what is loaded already is not asked again.

Started by hand, from the form behind the trigger button. Resumable: a run that failed or was
stopped leaves its finished chunks behind, and the next one over the same range does the rest.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task
from loading import announce_param, instant_param, load_by_service, most_tasks, series_param
from policies import EVERY_DAG

PARAMS = {
    "instruments": series_param("Empty: the watch list."),
    "start": instant_param(
        "Start", "First `opened_at`, with its zone, as `2019-01-01T00:00:00Z`.", required=True
    ),
    "end": instant_param("End", "Exclusive. Empty: today, 00:00 UTC."),
    "chunk_candles": Param(
        50_000,
        type="integer",
        minimum=100,
        maximum=1_000_000,
        title="Candles in a chunk",
        description_md="A chunk is one load: one task, one transaction, one retry. "
        "50,000 are a month of 1m candles, or five years of 1h.",
    ),
    "force": Param(
        False,
        type="boolean",
        title="Ask again",
        description_md="Ask for chunks that were loaded before, too: where a vendor corrected "
        "its history. Candles that did not change stay as they are.",
    ),
    "announce": announce_param(),
}


@dag(
    schedule=None,
    max_active_runs=1,  # a second one waits, and finds the chunks of the first
    params=PARAMS,
    doc_md=__doc__,
    tags=["ingestion"],
    **EVERY_DAG,
)
def backfill_candles() -> None:
    """Wire the run: which chunks are missing, then their loads."""

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

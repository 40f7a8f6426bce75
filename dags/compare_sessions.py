"""Compare each trading session with the backtest of its candles, and tell where they differ.

It runs once a day, over the sessions that traded on the day before. The comparisons are stored in
ops.session_drift, and one that goes beyond MELA_ALERTS__DRIFT_BOUND becomes an alert; `mela drift`
shows them and makes one at any time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task
from policies import EVERY_DAG, clock

PARAMS = {
    "day": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Day",
        description_md="Sessions that traded on this day (UTC). Empty: yesterday.",
    ),
}


@dag(
    schedule=clock("20 0 * * *"),
    max_active_runs=1,
    params=PARAMS,
    description="Compare trading sessions with the backtests of their candles.",
    doc_md=__doc__,
    tags=["trading"],
    **EVERY_DAG,
)
def compare_sessions() -> None:
    """Define the DAG: one task that compares the sessions of a day."""

    @task(execution_timeout=timedelta(hours=3))
    def compare(params: Any = None) -> list[dict[str, Any]]:
        """Compare and store; return of each comparison its session, candles, state and reason."""
        from datetime import UTC, date, datetime

        from live.drift import compare_day
        from mela.settings import Settings

        yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
        day = date.fromisoformat(params["day"]) if params["day"] else yesterday
        return [
            {
                "session_id": str(one.session_id),
                "candles": one.candles,
                "state": one.state,
                "why": one.why,
            }
            for one in compare_day(Settings(), day)
        ]

    compare()


compare_sessions()

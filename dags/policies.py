"""Settings that all DAGs share: retries, alerts, and the assets that they exchange.

This module is no DAG: see .airflowignore.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    AssetOrTimeSchedule,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
)
from alerts import Alert

SINCE = datetime(2017, 8, 1, tzinfo=UTC)  # shortly before Binance's first candle
CANDLES = Asset("raw.candle", uri="mela://raw/candle", group="warehouse")
MARTS = Asset("marts", uri="mela://marts", group="warehouse")

WHO_IS_WRONG = ExceptionRetryPolicy(  # any other failure may succeed later
    rules=[
        RetryRule("mela.errors.SourceRefused", RetryAction.FAIL, reason="the request is wrong"),
        RetryRule("mela.errors.CandlesMissing", RetryAction.FAIL, reason="load the candles first"),
        RetryRule("mela.errors.SceneInvalid", RetryAction.FAIL, reason="the scene is wrong"),
        RetryRule(
            ValueError, RetryAction.FAIL, reason="an argument is wrong", match_subclasses=False
        ),
    ]
)

DEFAULTS: dict[str, Any] = {
    "owner": "mela",
    "retries": 4,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    "retry_policy": WHO_IS_WRONG,
    "execution_timeout": timedelta(minutes=30),
}


def clock(cron: str) -> CronTriggerTimetable:
    """Return a timetable for DAGs that look at the present: no data interval, no catch-up.

    A new stack waits for the first tick, because `run_immediately` applies without a start_date.
    """
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=timedelta(0))


def changes_or(cron: str) -> AssetOrTimeSchedule:
    """Return a schedule that runs when candles changed, and at the times of a cron expression."""
    return AssetOrTimeSchedule(timetable=clock(cron), assets=[CANDLES])


EVERY_DAG: dict[str, Any] = {
    "catchup": False,
    "is_paused_upon_creation": False,  # a backfill of a paused DAG stays queued silently
    "default_args": DEFAULTS,
    "on_failure_callback": Alert(),
}

# A failing dbt build hardly succeeds a quarter of an hour later; the one retry is for locks.
EVERY_BUILD: dict[str, Any] = EVERY_DAG | {
    "default_args": DEFAULTS | {"retries": 1, "retry_delay": timedelta(minutes=1)}
}

"""Feed the warehouse with candles: one run per day of data, one mapped task per series.

Runs by schedule, by hand with another span and list of instruments, and by
`airflow backfill create`. Loads are idempotent, so any run may be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import (
    CronDataIntervalTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    dag,
    task,
)

from mela.instrument import NAME
from mela.interval import DAY_MS, Interval

DEFAULT_SERIES = ("binance:BTCUSDT 1h", "binance:ETHUSDT 1h", "yahoo:AAPL 1d", "yahoo:SPY 1d")
LOOKBACK = timedelta(days=3)  # vendors correct candles for some days after they closed
SERIES = rf"^({NAME.pattern} ({'|'.join(Interval)}))?$"  # an empty line in the UI's form is none
INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$"

PARAMS = {
    "instruments": Param(
        None,
        type=["array", "null"],
        items={"type": "string", "pattern": SERIES},
        title="Instruments and intervals",
        description_md="One series a line, as `binance:BTCUSDT 1h` or `yahoo:AAPL 1d`. "
        "Empty: the watch list, or, where that is empty, " + ", ".join(DEFAULT_SERIES) + ".",
    ),
    "start": Param(
        None,
        type=["string", "null"],
        format="date-time",
        pattern=INSTANT,
        title="Start",
        description_md="First `opened_at`, with its zone, as `2023-01-01T00:00:00Z`. "
        f"Empty: the run's day and {LOOKBACK.days} days before it.",
    ),
    "end": Param(
        None,
        type=["string", "null"],
        format="date-time",
        pattern=INSTANT,
        title="End",
        description_md="Exclusive. Empty: the end of the run's day. Needs a start.",
    ),
}

WHO_IS_WRONG = ExceptionRetryPolicy(  # whatever else fails may succeed later
    rules=[
        RetryRule("mela.errors.SourceRefused", RetryAction.FAIL, reason="the request is wrong"),
        RetryRule(
            ValueError, RetryAction.FAIL, reason="an argument is wrong", match_subclasses=False
        ),
    ]
)


def span(
    interval: Interval, params: Mapping[str, Any], day_start: datetime, day_end: datetime
) -> tuple[datetime, datetime]:
    """Return the half-open span to ask for: the params' own, else the run's day with a lookback.

    The lookback is at least a candle long, because a week opens six days before the day it ends on.
    Raises ValueError for an end without a start, or not after it.
    """
    end = datetime.fromisoformat(params["end"]) if params["end"] else day_end
    if params["start"]:
        start = datetime.fromisoformat(params["start"])
    elif params["end"]:
        raise ValueError(f"expected a start beside the end {params['end']}, but found none")
    else:
        length = timedelta(milliseconds=interval.fixed_ms or 31 * DAY_MS)
        start = day_start - max(LOOKBACK, length)
    if end <= start:
        raise ValueError(f"expected an end after the start {start}, but found {end}")
    return start, end


def day_of(dag_run: Any) -> tuple[datetime, datetime]:
    """Return a run's data interval; the last whole day (UTC) before a run that has none."""
    if dag_run.data_interval_start and dag_run.data_interval_end:
        return dag_run.data_interval_start, dag_run.data_interval_end
    today = dag_run.run_after.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=1), today


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2017, 8, 1, tzinfo=UTC),  # a little before Binance's first candle
    catchup=False,
    is_paused_upon_creation=False,  # a backfill of a paused DAG stays queued without a word
    max_active_runs=2,
    params=PARAMS,
    default_args={
        "retries": 4,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=15),
        "retry_policy": WHO_IS_WRONG,
    },
    doc_md=__doc__,
    tags=["ingestion"],
)
def ingest_candles() -> None:
    """Wire the run: what to load, then one load for each series."""

    @task
    def plan_loads(params: Any = None, dag_run: Any = None) -> list[dict[str, str]]:
        """Return one load per series: the params' list, else the watch list, else the defaults."""
        from mela.settings import Settings
        from warehouse.database import transaction
        from warehouse.instruments import watched

        wanted = [series for series in params["instruments"] or () if series]
        if not wanted:
            with transaction(Settings()) as connection:
                wanted = [f"{name} {interval}" for name, interval in watched(connection)]
        loads: list[dict[str, str]] = []
        for series in dict.fromkeys(wanted or DEFAULT_SERIES):
            instrument, interval = series.split()
            start, end = span(Interval(interval), params, *day_of(dag_run))
            loads.append(
                {
                    "instrument": instrument,
                    "interval": interval,
                    "start": start.isoformat(),
                    "end": end.isoformat(),
                }
            )
        return loads

    @task(
        map_index_template="{{ task.op_kwargs['instrument'] }} {{ task.op_kwargs['interval'] }}",
        max_active_tis_per_dag=4,
        execution_timeout=timedelta(hours=1),
    )
    def load_series(instrument: str, interval: str, start: str, end: str) -> dict[str, Any]:
        """Load one series and return what changed."""
        from mela.settings import Settings
        from warehouse.ingest import ingest

        report = ingest(
            instrument,
            interval,
            datetime.fromisoformat(start),
            datetime.fromisoformat(end),
            Settings(),
        )
        return {
            "inserted": report.inserted,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "rejected": report.rejected,
            "actions": report.actions,
            "revision": report.revision,
            "batch_id": report.batch_id,
            "origin": report.origin,
        }

    load_series.expand_kwargs(plan_loads())


ingest_candles()

"""The steps that ingestion and backfill share: plan, load, announce.

This module is no DAG: see .airflowignore.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Param, TriggerRule, chain, task, task_group
from airflow.sdk.exceptions import AirflowSkipException
from policies import CANDLES

from mela.instrument import NAME
from mela.interval import Interval

SERVICES = ("binance", "yahoo", "alpaca", "ccxt")  # each has its own pool, see pools.json
SERIES = rf"^({NAME.pattern} ({'|'.join(Interval)}))?$"  # the UI's form sends empty lines too
INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$"
LOAD_TIMEOUT = timedelta(hours=2)


def series_param(description: str) -> Param:
    """Return the form field for a list of series."""
    return Param(
        None,
        type=["array", "null"],
        items={"type": "string", "pattern": SERIES},
        title="Instruments and intervals",
        description_md="One series a line, as `binance:BTCUSDT 1h` or `yahoo:AAPL 1d`. "
        + description,
    )


def instant_param(title: str, description: str, *, required: bool = False) -> Param:
    """Return the form field for an instant with its zone."""
    return Param(
        *(() if required else (None,)),
        type="string" if required else ["string", "null"],
        format="date-time",
        pattern=INSTANT,
        title=title,
        description_md=description,
    )


def announce_param() -> Param:
    """Return the form's switch for the DAGs that follow a load."""
    return Param(
        True,
        type="boolean",
        title="Announce changes",
        description_md="Whether marts, quality checks and recurring scenes run after this run's "
        "changes.",
    )


def most_tasks() -> int:
    """Return the maximum number of mapped tasks that Airflow allows."""
    from airflow.sdk.configuration import conf

    return conf.getint("core", "max_map_length")


@task(
    map_index_template="{{ task.op_kwargs['name'] }}",
    max_active_tis_per_dag=4,
    execution_timeout=LOAD_TIMEOUT,
)
def load_series(name: str, loads: list[Any], since: str | None) -> list[dict[str, Any]]:  # noqa: ARG001 - the UI's name of the task
    """Load a batch of spans and return what changed."""
    from mela.settings import Settings
    from warehouse.ingestion.load_plan import run_batch

    return run_batch(loads, since, Settings())


@task(trigger_rule=TriggerRule.ALL_DONE, outlets=[CANDLES])
def announce(reports: list[Any], params: Any = None, outlet_events: Any = None) -> None:
    """Announce the series and the span that changed; skip if nothing changed."""
    from warehouse.ingestion.change_notices import notice_of_loads

    found = notice_of_loads(one for source in reports for batch in source or () for one in batch)
    if not found:
        raise AirflowSkipException("no candle changed")
    if not params["announce"]:
        raise AirflowSkipException(f"{len(found['series'])} series changed; announcing is off")
    outlet_events[CANDLES].extra = found


def load_by_service(plan: Callable[..., Any]) -> None:
    """Define a DAG's tasks: for each service a plan and loads in its pool, then the notice.

    plan: a task that takes the service's name and returns its batches
    """
    loaded: list[Any] = []
    for service in SERVICES:

        @task_group(group_id=service)
        def one_service(service: str = service) -> Any:
            batches = plan(service)
            return load_series.override(pool=service).expand_kwargs(batches)

        loaded.append(one_service())
    # Loaded series are announced even if others failed; the run still fails.
    whole = EmptyOperator(task_id="every_series_loaded", trigger_rule=TriggerRule.NONE_FAILED)
    chain(loaded, whole)
    announce(loaded)

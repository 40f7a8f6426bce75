"""Check candles, repair gaps by requesting them again, and fail if an error remains open.

It runs when candles changed, over those series, and once a day over all series. Findings are stored
in ops.quality_finding; `mela quality` shows them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import (
    AssetAlias,
    TriggerRule,
    chain,
    dag,
    task,
)
from airflow.sdk.exceptions import AirflowFailException
from loading import SERVICES, instant_param, series_param
from policies import CANDLES, EVERY_DAG, changes_or

REPAIRED = AssetAlias("repaired candles")
PARAMS = {
    "instruments": series_param("Empty: the series that changed; in daily and manual runs, all."),
    "start": instant_param("Start", "Only candles from here on. Empty: from the first one."),
    "end": instant_param("End", "Exclusive. Empty: now."),
}


def changed_scope(params: Any, events: Any) -> Any:
    """Return the series and span of a run: from its parameters, else from the change notices."""
    from warehouse.ingestion import change_notices

    notices = [event.extra or {} for event in (events or {}).get(CANDLES, ())]
    return change_notices.requested_scope(**params) or change_notices.merge_notices(notices)


@dag(
    schedule=changes_or("0 5 * * *"),
    max_active_runs=1,
    params=PARAMS,
    description="Check candles, request missing ones again, and fail on open errors.",
    doc_md=__doc__,
    tags=["quality"],
    **EVERY_DAG,
)
def check_quality() -> None:
    """Define the DAG: check, request missing candles again, and report what is still wrong."""

    @task.branch
    def check(params: Any = None, triggering_asset_events: Any = None) -> list[str]:
        """Check candles, store the findings, and select the services that have gaps."""
        from mela.settings import Settings
        from warehouse import quality
        from warehouse.ingestion.load_plan import service_of

        about = changed_scope(params, triggering_asset_events)
        report = quality.check_quality(Settings(), *about)
        gaps = {
            service_of(one.instrument)
            for one in report.findings
            if one.state == "open" and one.kind in ("missing", "stale")
        }
        return [*(f"repair_{service}" for service in sorted(gaps)), "judge"]

    @task(outlets=[REPAIRED], execution_timeout=timedelta(hours=2))
    def repair(
        service: str,
        params: Any = None,
        triggering_asset_events: Any = None,
        outlet_events: Any = None,
    ) -> dict[str, int]:
        """Request the missing candles of one service's series, and announce those that arrived."""
        from mela.settings import Settings
        from warehouse.quality.scheduled_repair import repair_service

        about = changed_scope(params, triggering_asset_events)
        counts, notice = repair_service(Settings(), service, *about)
        if notice is not None:
            outlet_events[REPAIRED].add(CANDLES, extra=notice)
        return counts

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def judge(params: Any = None, triggering_asset_events: Any = None) -> None:
        """Fail with the errors that are still open, so that the run shows the state of the data."""
        from mela.settings import Settings
        from warehouse.quality.scheduled_repair import open_errors

        errors = open_errors(Settings(), *changed_scope(params, triggering_asset_events))
        if errors:
            raise AirflowFailException("\n".join(errors))

    checked, judged = check(), judge()
    repairs = [
        repair.override(task_id=f"repair_{service}", pool=service)(service) for service in SERVICES
    ]
    chain(checked, repairs, judged)
    chain(checked, judged)


check_quality()

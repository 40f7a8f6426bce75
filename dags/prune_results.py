"""Thin the results, curves and MLflow runs of old scenes, but the best of each.

It runs once a week. The settings MELA_PRUNE__… are the rules, and `mela prune --dry-run` says what
would go now. Trials are counted as before. If MLflow requires a sign-in, tasks may only read there,
and `mela prune` on the machine of the stack thins MLflow.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task
from policies import EVERY_DAG, clock

PARAMS = {
    "dry_run": Param(
        False,
        type="boolean",
        title="Dry run",
        description_md="Only report what would go.",
    ),
}


@dag(
    schedule=clock("0 7 * * 0"),
    max_active_runs=1,
    params=PARAMS,
    description="Thin the results, curves and MLflow runs of old scenes.",
    doc_md=__doc__,
    tags=["retention"],
    **EVERY_DAG,
)
def prune_results() -> None:
    """Define the DAG: one task that removes what the rules no longer keep."""

    @task(execution_timeout=timedelta(hours=6))
    def prune(params: Any = None) -> list[dict[str, Any]]:
        """Thin what is old and return what went."""
        from dataclasses import asdict

        from mela.settings import Settings
        from services.retention.prune import prune as thin

        return [asdict(one) for one in thin(Settings(), dry_run=params["dry_run"])]

    prune()


prune_results()

"""Publish recurring scenes, each as soon as its candles are complete.

It runs when candles changed, and every hour for schedules with a cron expression. The schedules are
in ops.scene_schedule. A scene's id follows from its schedule and span, so publishing is idempotent.
"""

from __future__ import annotations

from airflow.sdk import dag, task
from policies import EVERY_DAG, changes_or


@dag(
    schedule=changes_or("5 * * * *"),
    max_active_runs=1,
    description="Publish recurring scenes as soon as their candles are complete.",
    doc_md=__doc__,
    tags=["scenes"],
    **EVERY_DAG,
)
def publish_scenes() -> None:
    """Define the DAG: one task that publishes all due scenes."""

    @task
    def publish_due() -> list[str]:
        """Publish the due scenes and return their ids."""
        from datetime import UTC, datetime

        from mela.settings import Settings
        from services.scenes.schedules import publish_due as publish

        return publish(Settings(), datetime.now(UTC))

    publish_due()


publish_scenes()

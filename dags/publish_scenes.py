"""Publish the scenes that come again, each as soon as its candles are complete.

Runs when candles changed, and every hour for the schedules that keep a clock. What comes again
stands in ops.scene_schedule; a scene's id comes from its schedule and span, so twice is once.
"""

from __future__ import annotations

from airflow.sdk import dag, task
from policies import EVERY_DAG, changes_or


@dag(
    schedule=changes_or("5 * * * *"),
    max_active_runs=1,
    doc_md=__doc__,
    tags=["scenes"],
    **EVERY_DAG,
)
def publish_scenes() -> None:
    """Wire the run: one task, which publishes all that is due."""

    @task
    def publish_due() -> list[str]:
        """Publish what is due and return the ids."""
        from datetime import UTC, datetime

        from mela.settings import Settings
        from services.schedules import publish_due as publish

        return publish(Settings(), datetime.now(UTC))

    publish_due()


publish_scenes()

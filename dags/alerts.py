"""Alerts for failed DAG runs: a line in the log, and a POST to the webhook if one is configured.

This module is no DAG: see .airflowignore.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import structlog
from airflow.sdk import BaseNotifier

LOG = structlog.get_logger(__name__)


class Alert(BaseNotifier):
    """Send one alert for each failed run, however many of its tasks failed.

    A failing webhook is only logged, because it must not hide the failure that it reports.
    """

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Skip rendering: an alert has no templates, and rendering could fail."""

    def notify(self, context: Any) -> None:
        """Log the failure and post it. Airflow calls this once the run has ended."""
        from mela.settings import Settings
        from services.alerts.webhook import post_alert

        settings = Settings()
        alert = describe(context, settings.airflow.url)
        LOG.error("dag_run_failed", **alert)
        post_alert("dag_run_failed", alert, settings)


def describe(context: Any, airflow_url: str) -> dict[str, Any]:
    """Return the content of a failed run's alert. Chat services show `text`."""
    dag_id, run_id = context["dag"].dag_id, str(context["run_id"])
    last = context.get("task_instance")
    task = last.task_id if last else None
    url = f"{airflow_url}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"
    reason = str(context.get("reason", "unknown"))
    return {
        "dag_id": dag_id,
        "run_id": run_id,
        "reason": reason,
        "task_id": task,
        "map_index": last.map_index if last else None,
        "url": url,
        "text": f"{dag_id} failed ({reason}{f', last {task}' if task else ''}): {url}",
    }

"""Alerts for failed DAG runs: a line in the log, and a POST to the webhook if one is configured.

This module is no DAG: see .airflowignore.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import structlog
from airflow.sdk import BaseNotifier

LOG = structlog.get_logger(__name__)
TIMEOUT_S = 10.0


class Alert(BaseNotifier):
    """Send one alert for each failed run, however many of its tasks failed.

    A failing webhook is only logged, because it must not hide the failure that it reports.
    """

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Skip rendering: an alert has no templates, and rendering could fail."""

    def notify(self, context: Any) -> None:
        """Log the failure and post it. Airflow calls this once the run has ended."""
        import httpx

        from mela.settings import Settings

        settings = Settings()
        said = describe(context, settings.airflow.url)
        LOG.error("dag_run_failed", **said)
        if settings.alert_webhook is None:
            return
        url = settings.alert_webhook.get_secret_value()  # may carry a token, so it is never logged
        try:
            httpx.post(
                url, json={"event": "dag_run_failed", **said}, timeout=TIMEOUT_S
            ).raise_for_status()
        except httpx.HTTPStatusError as error:
            LOG.warning("alert_not_delivered", answer=error.response.status_code, **said)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            LOG.warning("alert_not_delivered", answer=type(error).__name__, **said)


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

"""Ask Airflow for an ingestion run through its REST API."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Self

import httpx

from mela.errors import MelaError, SourceUnavailable
from mela.run import instant_text
from mela.settings import AirflowSettings

DAG = "ingest_candles"
ASK_S = 30.0
POLL_S = 1.0
NOT_FOUND = 404


class Airflow:
    """A signed-in client; close it. Raises SourceUnavailable if Airflow does not answer."""

    def __init__(self, settings: AirflowSettings) -> None:
        self._client = httpx.Client(base_url=settings.url, timeout=ASK_S)
        secret = settings.password.get_secret_value()
        token = self._ask("POST", "/auth/token", {"username": settings.user, "password": secret})
        self._client.headers["Authorization"] = f"Bearer {token['access_token']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ingest(
        self, series: Sequence[str], start: datetime, end: datetime, *, announce: bool = True
    ) -> str:
        """Start one ingestion run for some series over [start, end) and return its id.

        announce: whether changed candles trigger the marts, the checks and the scenes
        """
        at = datetime.now(UTC)
        body = {
            "dag_run_id": f"demo__{instant_text(at)}",
            "logical_date": None,
            "conf": {
                "instruments": list(series),
                "start": instant_text(start),
                "end": instant_text(end),
                "announce": announce,
            },
        }
        return self._ask("POST", f"/api/v2/dags/{DAG}/dagRuns", body)["dag_run_id"]

    def pools(self) -> list[dict[str, Any]]:
        """Return the pools, which bound how many tasks ask one service at once."""
        return self._ask("GET", "/api/v2/pools")["pools"]

    def wait_for_dag(self, timeout_s: float) -> None:
        """Wait until Airflow has parsed the DAG. Raises SourceUnavailable after `timeout_s`."""
        give_up_at = time.monotonic() + timeout_s
        while self._client.get(f"/api/v2/dags/{DAG}").status_code == NOT_FOUND:
            if time.monotonic() > give_up_at:
                raise SourceUnavailable(
                    f"Airflow did not find the DAG {DAG} within {timeout_s:.0f} s. "
                    "`mela logs airflow-dag-processor` tells why."
                )
            time.sleep(POLL_S)

    def tasks(self, run_id: str, timeout_s: float) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Yield the run's state and its task instances until it ends. Raises SourceUnavailable."""
        give_up_at = time.monotonic() + timeout_s
        path = f"/api/v2/dags/{DAG}/dagRuns/{run_id}"
        while True:
            state = str(self._ask("GET", path)["state"])
            yield state, self._ask("GET", f"{path}/taskInstances")["task_instances"]
            if state in {"success", "failed"}:
                return
            if time.monotonic() > give_up_at:
                raise SourceUnavailable(
                    f"the ingestion run was still {state} after {timeout_s:.0f} s. "
                    "`mela logs airflow-scheduler` tells why."
                )
            time.sleep(POLL_S)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = self._client.request(method, path, json=body)
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            why = error.response.text[:300]
            raise MelaError(
                f"Airflow answered {error.response.status_code} to {method} {path}: {why}"
            ) from error
        except httpx.HTTPError as error:
            raise SourceUnavailable(
                f"Airflow at {self._client.base_url} does not answer: {error!r}"
            ) from error
        return answer.json()

"""Backfills of candles, which Airflow runs: start one, and see how far it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from mela.errors import InputInvalid, NotFound, SourceUnavailable
from mela.instants import instant_text
from mela.instrument import parse_name
from mela.interval import Interval
from mela.settings import Settings

DAG = "backfill_candles"
ASK_S = 10.0
NOT_FOUND, UNAUTHORIZED = 404, 401
_tokens: dict[str, str] = {}  # by address; Airflow's end after a day, and are then asked for anew


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill as Airflow knows it. tasks: how many are in which state."""

    backfill_id: str
    state: str
    series: tuple[str, ...]
    start: str | None
    end: str | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    tasks: Mapping[str, int]


def start(
    settings: Settings,
    series: Sequence[tuple[str, Interval]],
    begin: datetime,
    end: datetime,
    *,
    user: str,
    force: bool = False,
) -> Backfill:
    """Let Airflow load the candles of [begin, end).

    force: also what was loaded before
    Raises InputInvalid for an empty span or a malformed name, SourceUnavailable where Airflow does
    not answer.
    """
    if end <= begin:
        raise InputInvalid("end", f"expected an end after {begin}, but found {end}.")
    for place, (name, _) in enumerate(series):
        try:
            parse_name(name)
        except ValueError as error:
            raise InputInvalid(f"series.{place}.instrument", f"{error}.") from error
    body = {
        "dag_run_id": f"{user}__{instant_text(datetime.now(UTC))}__{uuid4().hex[:8]}",
        "logical_date": None,
        "conf": {
            "instruments": [f"{name} {interval.value}" for name, interval in series],
            "start": instant_text(begin),
            "end": instant_text(end),
            "force": force,
        },
        "note": f"asked by {user}",
    }
    return _read(_ask(settings, "POST", f"/api/v2/dags/{DAG}/dagRuns", body), {})


def find(settings: Settings, backfill_id: str) -> Backfill:
    """Return a backfill. Raises NotFound, SourceUnavailable."""
    path = f"/api/v2/dags/{DAG}/dagRuns/{quote(backfill_id, safe='')}"
    run = _ask(settings, "GET", path)
    tasks = _ask(settings, "GET", f"{path}/taskInstances")["task_instances"]
    return _read(run, Counter(str(one["state"] or "waiting") for one in tasks))


def newest(settings: Settings, most: int) -> list[Backfill]:
    """Return the newest backfills. Raises SourceUnavailable."""
    path = f"/api/v2/dags/{DAG}/dagRuns?order_by=-run_after&limit={most}"
    return [_read(run, {}) for run in _ask(settings, "GET", path)["dag_runs"]]


def _read(run: Mapping[str, Any], tasks: Mapping[str, int]) -> Backfill:
    conf = run.get("conf") or {}
    return Backfill(
        backfill_id=run["dag_run_id"],
        state=str(run["state"]),
        series=tuple(conf.get("instruments") or ()),
        start=conf.get("start"),
        end=conf.get("end"),
        queued_at=_instant(run.get("queued_at")),
        started_at=_instant(run.get("start_date")),
        finished_at=_instant(run.get("end_date")),
        tasks=tasks,
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _ask(
    settings: Settings, method: str, path: str, body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    base = settings.airflow.url
    away = "Airflow does not answer, so that no candles can be asked for now."
    try:
        with httpx.Client(base_url=base, timeout=ASK_S, trust_env=False) as client:
            answer = client.request(method, path, json=body, headers=_signed(settings, client))
            if answer.status_code == UNAUTHORIZED:
                _tokens.pop(base, None)
                answer = client.request(method, path, json=body, headers=_signed(settings, client))
            if answer.status_code == NOT_FOUND and method == "GET":
                raise NotFound("there is no such backfill.")
            answer.raise_for_status()
            return answer.json()
    except httpx.HTTPError as error:
        raise SourceUnavailable(away) from error


def _signed(settings: Settings, client: httpx.Client) -> dict[str, str]:
    base = settings.airflow.url
    if base not in _tokens:
        secret = settings.airflow.password.get_secret_value()
        answer = client.post(
            "/auth/token", json={"username": settings.airflow.user, "password": secret}
        )
        answer.raise_for_status()
        _tokens[base] = str(answer.json()["access_token"])
    return {"Authorization": f"Bearer {_tokens[base]}"}

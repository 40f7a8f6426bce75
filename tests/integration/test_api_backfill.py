"""A backfill that a trader asks for over the API, run by the real Airflow."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from mela.settings import Settings
from services.accounts import accounts
from services.accounts.accounts import Role

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
PASSWORD = "seven quiet herons"
PATIENCE_S = 180.0


def test_a_backfill_is_asked_for_and_followed_to_its_end(platform: Settings) -> None:
    user = f"trader-{uuid4().hex[:8]}"
    accounts.add(platform, user, PASSWORD, Role.TRADER)
    with httpx.Client(base_url=f"{platform.api.url}/api/v1", timeout=30) as client:
        me = client.post("/session", json={"user": user, "password": PASSWORD}).json()
        asked = client.post(
            "/backfills",
            headers={"X-CSRF-Token": me["csrf_token"]},
            json={
                "series": [{"instrument": "binance:BTCUSDT", "interval": "1h"}],
                "start": "2022-01-01T00:00:00Z",
                "end": "2022-01-08T00:00:00Z",
            },
        )
        assert asked.status_code == 202, asked.text
        done = ended(client, asked.json()["backfill_id"])
    assert done["state"] == "success"
    assert done["series"] == ["binance:BTCUSDT 1h"]
    assert "failed" not in done["tasks"]


def ended(client: httpx.Client, backfill_id: str) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE_S
    while True:
        found = client.get(f"/backfills/{backfill_id}").json()
        if found["state"] in {"success", "failed"}:
            return found
        assert time.monotonic() < until, found
        time.sleep(0.5)

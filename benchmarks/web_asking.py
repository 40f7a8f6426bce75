"""Ask the API as users of the benchmarks do: with accounts and personal tokens of their own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import httpx

from mela.errors import MelaError
from mela.settings import Settings
from services.accounts import accounts, passwords
from services.accounts.accounts import Role
from warehouse.accounts import accounts as stored
from warehouse.database import transaction
from warehouse.scenes import records

PASSWORD = "nine patient otters"  # noqa: S105  of accounts of a stack that only measures
GIVE_UP_S = 180.0
POLL_S = 0.25


def made_accounts(settings: Settings, count: int) -> list[str]:
    """Make traders, unless they are there, and return their names."""
    names = [f"bench{number}" for number in range(count)]
    known = passwords.hashed(PASSWORD)
    with transaction(settings) as connection:
        for name in names:
            if stored.by_name(connection, name) is None:
                accounts.stored_new(connection, name, Role.TRADER, known)
    return names


def token_of(url: str, name: str) -> str:
    """Sign in as a user, and return a new personal token that may read and write."""
    with httpx.Client(base_url=f"{url}/api/v1", timeout=30.0) as asked:
        me = answer_of(asked.post("/session", json={"user": name, "password": PASSWORD}))
        made = asked.post(
            "/tokens",
            json={"name": "bench", "scopes": ["read", "write"], "days": 1},
            headers={"X-CSRF-Token": me["csrf_token"]},
        )
        return str(answer_of(made)["secret"])


def cookie_of(url: str, name: str) -> str:
    """Sign in as a user, and return the cookies of the session as a header has them."""
    with httpx.Client(base_url=f"{url}/api/v1", timeout=30.0) as asked:
        answer_of(asked.post("/session", json={"user": name, "password": PASSWORD}))
        return "; ".join(f"{key}={value}" for key, value in asked.cookies.items())


def client_of(url: str, token: str) -> httpx.Client:
    """Return a client of the API that asks as the owner of a token."""
    return httpx.Client(
        base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60.0
    )


def answer_of(answer: httpx.Response) -> Any:
    """Return what the API answers. Raises MelaError for a refusal."""
    if not answer.is_success:
        raise MelaError(f"{answer.request.url} answered {answer.status_code}: {answer.text[:500]}")
    return answer.json()


def published(asked: httpx.Client, scene: Mapping[str, Any]) -> str:
    """Publish a scene and return its id."""
    return str(answer_of(asked.post("/scenes", json={"scene": dict(scene)}))["scene_id"])


def finished(settings: Settings, scene_ids: Sequence[str]) -> None:
    """Wait until scenes have ended, without asking the API, so that all of it stays cold."""
    waiting, until = set(scene_ids), time.monotonic() + GIVE_UP_S
    while waiting:
        with transaction(settings) as connection:
            found = [records.get(connection, scene_id) for scene_id in waiting]
        waiting -= {one.scene_id for one in found if one is not None and one.finished_at}
        if time.monotonic() > until:
            raise MelaError(f"{len(waiting)} scenes did not end within {GIVE_UP_S:.0f} s")
        time.sleep(POLL_S)


def only_run(asked: httpx.Client, scene_id: str) -> str:
    """Return the key of a scene's first run."""
    return str(
        answer_of(asked.get(f"/scenes/{scene_id}/runs", params={"limit": 1}))["items"][0]["run_key"]
    )


def scene_of(interval: str, start: str, end: str, **terms: Any) -> dict[str, Any]:
    """Return a scene of sma_cross that nobody has asked before, as JSON values."""
    return {
        "name": f"bench {uuid4().hex[:8]}",
        "instruments": ["binance:BTCUSDT"],
        "interval": interval,
        "start": start,
        "end": end,
        "strategy": {"name": "sma_cross", "params": {"slow": 100}},
        # a cash never used before makes each question new, so that nothing comes from the store
        "cash": time.time(),
        **terms,
    }

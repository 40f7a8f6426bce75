"""Scenes asked through the API, by somebody who is signed in in a browser."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from playwright.sync_api import BrowserContext

from services.accounts import sessions

ENDED = {"finished", "cancelled", "rejected"}
SCENE: dict[str, Any] = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2023-03-01T00:00:00Z",
    "strategy": {"name": "sma_cross", "params": {"slow": 60}},
}


def grid(*fast: int) -> dict[str, Any]:
    """Return a scene that tries some values of `fast`."""
    return {**SCENE, "search": {"space": {"strategy.params.fast": list(fast)}}}


def named(words: str) -> str:
    """Return a name that no other scene has, as other tests ask scenes on the same platform."""
    return f"{words} {uuid4().hex[:8]}"


def ask(context: BrowserContext, method: str, path: str, body: Any = None) -> Any:
    """Ask the API as who is signed in; return what it answers."""
    headers = {"Content-Type": "application/json"}
    if method != "GET":
        [token] = [one["value"] for one in context.cookies() if one["name"] == "mela_session"]
        headers["X-CSRF-Token"] = sessions.csrf_token(token)
    answer = context.request.fetch(f"/api/v1{path}", method=method, headers=headers, data=body)
    assert answer.ok, f"{answer.status} {answer.text()}"
    return answer.json() if answer.body() else None


def publish(context: BrowserContext, scene: dict[str, Any], **card: Any) -> str:
    """Publish a scene and return its id."""
    return ask(context, "POST", "/scenes", {"scene": scene, **card})["scene_id"]


def finished(context: BrowserContext, scene_id: str, timeout_s: float = 60) -> dict[str, Any]:
    """Wait for the end of a scene and return it."""
    until = time.monotonic() + timeout_s
    while True:
        scene = ask(context, "GET", f"/scenes/{scene_id}")
        if scene["state"] in ENDED:
            return scene
        assert time.monotonic() < until, f"still {scene['state']} after {timeout_s} s"
        time.sleep(0.25)

"""Alpaca's stream of trade updates: authenticate, listen, and what happens to orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from replay.streams.channel import LONGEST_WAIT_S, Channel
from replay.streams.tape import Candle
from replay.trading.answers import instant, text
from replay.trading.matching import Happening

_STREAM = "trade_updates"
_OFTEN_S = 0.01


class UpdatesChannel(Channel):
    """Tell one client what happens to its orders, in binary frames of JSON as Alpaca does."""

    stream = "updates"
    told_since: Callable[[str, int], tuple[list[dict[str, Any]], int]]
    told_so_far: Callable[[str], int]
    _key: str | None = None
    _next = 0
    _listens = False

    def hear(self, message: str | bytes) -> None:
        """Obey authenticate and listen."""
        try:
            asked: dict[str, Any] = orjson.loads(message)
            action, data = asked["action"], asked.get("data") or {}
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            self._say("error", {"error": "invalid syntax"})
            return
        if action in ("authenticate", "auth"):
            key = str(data.get("key_id") or asked.get("key") or "")
            is_known = bool(key and (data.get("secret_key") or asked.get("secret")))
            self._key = key if is_known else None
            status = "authorized" if is_known else "unauthorized"
            self._say("authorization", {"status": status, "action": "authenticate"})
        elif self._key is None:
            self._say("authorization", {"status": "unauthorized", "action": str(action)})
        elif action == "listen":
            streams = [str(name) for name in data.get("streams") or ()]
            self._listens = _STREAM in streams
            self._next = self.told_so_far(self._key)
            self._say("listening", {"streams": [name for name in streams if name == _STREAM]})
        else:
            self._say("error", {"error": f"unknown action {action}"})

    def tell(self, candles: list[Candle], *, corrects: bool = False) -> None:
        """Tell no candles."""

    def tell_more(self) -> None:
        """Tell what happened since the last time.

        Updates that happen while nobody listens are lost.
        """
        if self._key is None or not self._listens:
            return
        updates, self._next = self.told_since(self._key, self._next)
        for update in updates:
            self._say(_STREAM, update)

    def _wait_s(self) -> float:
        return _OFTEN_S if self._listens else LONGEST_WAIT_S

    def _say(self, stream: str, data: dict[str, Any]) -> None:
        self.socket.send(orjson.dumps({"stream": stream, "data": data}))


def update_json(happening: Happening) -> dict[str, Any]:
    """Return an update."""
    update: dict[str, Any] = {
        "event": happening.event,
        "timestamp": instant(happening.at_ms),
        "order": happening.told,
        "at": instant(happening.at_ms),
    }
    if happening.fill is not None:
        update |= {
            "execution_id": happening.fill.id,
            "price": text(happening.fill.price),
            "qty": text(happening.fill.qty),
            "position_qty": text(happening.held),
        }
    return update

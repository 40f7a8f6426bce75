"""Change a running replay: restate candles, or inject faults.

`POST /replay/restate` {"symbol", "interval", "opened_at", and some of open, high, low, close,
volume}; `POST /replay/faults` {"path", "status", …} with the fields of Fault; `POST /replay/calm`
removes all faults. `POST /replay/play` {"from", "speed", "until"} and `/replay/pause` move the
clock that `GET /replay/clock` tells, `POST /replay/jump` {"seconds"} sets it forward or back, and
`/replay/streams` with the fields of Disturbance orders what goes wrong with a websocket.
`/replay/trading` with the fields of Behaviour says what becomes of the next orders at Alpaca, and
`/replay/account` {"key", "cash", …} gives an account what it has, `/replay/asset` {"symbol",
"shortable", "easy_to_borrow", "tradable"} says whether a stock is lent, and whether an asset is
traded at all. `/replay/halt` {"symbol", "is_halted"} halts a market, or lets it trade again:
nothing fills meanwhile, no candle opens, and Alpaca's stream of statuses tells it. Only requests
from this machine are accepted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from replay.answer import Answer, Request, as_json
from replay.faults import Fault, Faults
from replay.halts import Status
from replay.series import Catalog
from replay.streams.disturbances import Disturbance, Disturbances
from replay.trading.behaviours import Behaviour
from replay.trading.desk import Desk
from sources.protocol import to_ms

PREFIX = "/replay/"
_SPAN = ("from", "until")


class Control:
    """Answer the /replay/… requests of a server."""

    def __init__(
        self, catalog: Catalog, faults: Faults, disturbances: Disturbances, desk: Desk
    ) -> None:
        self._catalog = catalog
        self._faults = faults
        self._disturbances = disturbances
        self._desk = desk

    def answer(self, request: Request) -> Answer | None:
        """Apply the request and confirm it; 400 with a sentence if it cannot be applied."""
        if not request.path.startswith(PREFIX):
            return None
        word = request.path.removeprefix(PREFIX)
        if request.method == "GET" and word == "clock":
            return as_json(self._catalog.clock.state())
        if request.method != "POST":
            return as_json({"error": f"expected POST, but found {request.method}"}, 405)
        if not request.headers.get("content-type", "").startswith("application/json"):
            return as_json(
                {"error": "expected application/json"}, 415
            )  # a form on a web page cannot send this type
        try:
            document: dict[str, Any] = orjson.loads(request.body or b"{}")
            done = self._obey(word, document)
            return None if done is None else as_json(done)
        except (ValueError, TypeError, KeyError) as error:
            return as_json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _obey(self, word: str, document: dict[str, Any]) -> dict[str, Any] | None:
        match word:
            case "restate":
                return self._restate(document)
            case "faults":
                self._faults.add(Fault(**document))
                return {"added": document}
            case "streams":
                self._disturbances.order(Disturbance(**document))
                return {"added": document}
            case "trading":
                self._desk.behave(Behaviour(**document))
                return {"added": document}
            case "account":
                return self._desk.endow(**document)
            case "asset":
                return self._know_asset(document)
            case "halt":
                said = self._catalog.halts.say(Status(self._catalog.now_ms, **document))
                return {"said": said.word}
            case "calm":
                self._faults.clear()
                self._disturbances.calm()
                self._desk.calm()
                return {"faults": 0}
            case "play" | "pause" | "jump":
                return self._set_clock(word, document)
            case _:
                return None

    def _set_clock(self, word: str, document: dict[str, Any]) -> dict[str, Any]:
        clock = self._catalog.clock
        if word == "pause":
            clock.pause()
        elif word == "jump":
            clock.jump(int(float(document["seconds"]) * 1000))
        else:
            ends = [_instant_ms(document[name]) if name in document else None for name in _SPAN]
            clock.play(ends[0], float(document.get("speed", 1.0)), ends[1])
        return clock.state()

    def _know_asset(self, document: dict[str, Any]) -> dict[str, Any]:
        symbol = str(document["symbol"])
        if "shortable" in document:
            lent = bool(document["shortable"]), bool(document["easy_to_borrow"])
            self._catalog.unlent[symbol] = lent
        if document.get("tradable", True):
            self._catalog.untraded.discard(symbol)
        else:
            self._catalog.untraded.add(symbol)
        return {"asset": document}

    def _restate(self, document: dict[str, Any]) -> dict[str, Any]:
        values = dict(document)
        symbol, interval = str(values.pop("symbol")), str(values.pop("interval"))
        opened_ms = _instant_ms(values.pop("opened_at"))
        numbers = {name: float(value) for name, value in values.items()}
        self._catalog.restate(symbol, interval, opened_ms, numbers)
        return {"restated": document}


def _instant_ms(text: Any) -> int:
    at = datetime.fromisoformat(str(text))
    if at.tzinfo is None:
        raise ValueError(f"expected a time with its zone, but found {at}")
    return to_ms(at)

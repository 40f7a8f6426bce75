"""Change a running replay: restate candles, or inject faults.

`POST /replay/restate` {"symbol", "interval", "opened_at", and some of open, high, low, close,
volume}; `POST /replay/faults` {"path", "status", …} with the fields of Fault; `POST /replay/calm`
removes all faults. Only requests from this machine are accepted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from replay.answer import Answer, Request, as_json
from replay.faults import Fault, Faults
from replay.series import Catalog
from sources.protocol import to_ms

PREFIX = "/replay/"


class Control:
    """Answer the /replay/… requests of a server."""

    def __init__(self, catalog: Catalog, faults: Faults) -> None:
        self._catalog = catalog
        self._faults = faults

    def answer(self, request: Request) -> Answer | None:
        """Apply the request and confirm it; 400 with a sentence if it cannot be applied."""
        if not request.path.startswith(PREFIX):
            return None
        if request.method != "POST":
            return as_json({"error": f"expected POST, but found {request.method}"}, 405)
        if not request.headers.get("content-type", "").startswith("application/json"):
            return as_json(
                {"error": "expected application/json"}, 415
            )  # a form on a web page cannot send this type
        try:
            document: dict[str, Any] = orjson.loads(request.body or b"{}")
            match request.path.removeprefix(PREFIX):
                case "restate":
                    return as_json(self._restate(document))
                case "faults":
                    self._faults.add(Fault(**document))
                    return as_json({"added": document})
                case "calm":
                    self._faults.clear()
                    return as_json({"faults": 0})
                case _:
                    return None
        except (ValueError, TypeError, KeyError) as error:
            return as_json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _restate(self, document: dict[str, Any]) -> dict[str, Any]:
        values = dict(document)
        symbol, interval = str(values.pop("symbol")), str(values.pop("interval"))
        at = datetime.fromisoformat(str(values.pop("opened_at")))
        if at.tzinfo is None:
            raise ValueError(f"expected a time with its zone, but found {at}")
        numbers = {name: float(value) for name, value in values.items()}
        self._catalog.restate(symbol, interval, to_ms(at), numbers)
        return {"restated": document}

"""Bybit's v5 market API, as far as candles need it: instruments-info, kline, time.

Every coin is listed twice: as spot, and as a perpetual contract that settles in its quote. Candles
come newest first; a page holds the oldest `limit` candles from `start` on.
"""

from __future__ import annotations

from typing import Any

from mela.interval import Interval
from replay.answer import DERIVATION, Answer, Query, as_json
from replay.pairs import SOURCES, Pair, candles, pairs
from replay.series import PRICES, Catalog
from replay.synthetic import Window

DEFAULT_ROWS, MOST_ROWS = 200, 1000
_PREFIX = "/v5/market/"
_INTERVALS = {
    "1": Interval.M1,
    "3": Interval.M3,
    "5": Interval.M5,
    "15": Interval.M15,
    "30": Interval.M30,
    "60": Interval.H1,
    "120": Interval.H2,
    "240": Interval.H4,
    "360": Interval.H6,
    "720": Interval.H12,
    "D": Interval.D1,
    "W": Interval.W1,
    "M": Interval.MO1,
}
_FILES = {"spot": ("bybit", *SOURCES), "linear": ("bybit", "binance-usdm", *SOURCES)}


class BybitApi:
    """Answer as Bybit would at the catalog's current time."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def answer(self, path: str, query: Query) -> Answer | None:
        """Return the answer for a path; None if Bybit has no such path."""
        category = query.get("category", "linear")
        match path.removeprefix(_PREFIX):
            case "time":
                return self._result({"timeSecond": str(self._catalog.now_ms // 1000)})
            case "instruments-info":
                has_instruments = category in _FILES and query.get("status") != "PreLaunch"
                listed = (
                    [_listed(p, category) for p in self._known().values()]
                    if has_instruments
                    else []
                )
                return self._result({"category": category, "list": listed})
            case "kline":
                pair = self._known().get(query.get("symbol", ""))
                interval = _INTERVALS.get(query.get("interval", ""))
                if pair is None or category not in _FILES:
                    return self._result({}, 10001, "params error: Symbol Invalid")
                if interval is None:
                    return self._result({}, 10001, "Invalid period!")
                return self._kline(pair, category, interval, query)
            case _:
                return None

    def _known(self) -> dict[str, Pair]:
        return {pair.symbol: pair for pair in pairs(self._catalog, "bybit")}

    def _kline(self, pair: Pair, category: str, interval: Interval, query: Query) -> Answer:
        limit = min(int(query.get("limit", DEFAULT_ROWS)), MOST_ROWS)
        start_ms = int(query["start"]) if "start" in query else None
        end_ms = int(query.get("end", self._catalog.now_ms)) + 1
        window = Window(start_ms, end_ms, limit)
        series, derivation = candles(self._catalog, pair, interval, _FILES[category], window)
        columns = [series.columns[name].tolist() for name in PRICES]
        rows = [
            [str(ms), *(f"{x:.{pair.decimals}f}" for x in prices), f"{volume:.8f}", "0"]
            for ms, *prices, volume in zip(series.opened_ms.tolist(), *columns, strict=True)
        ]
        result = {"category": category, "symbol": pair.symbol, "list": rows[::-1]}
        return self._result(result, headers={DERIVATION: derivation} if derivation else {})

    def _result(
        self, result: Any, code: int = 0, message: str = "OK", headers: dict[str, str] | None = None
    ) -> Answer:
        body = {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}}
        return as_json(body | {"time": self._catalog.now_ms}, headers=headers)


def _listed(pair: Pair, category: str) -> dict[str, Any]:
    tick = f"{10.0**-pair.decimals:.{pair.decimals}f}"
    about: dict[str, Any] = {"symbol": pair.symbol, "baseCoin": pair.base, "quoteCoin": pair.quote}
    about |= {"status": "Trading", "priceFilter": {"tickSize": tick}}
    if category == "spot":
        lots = {"basePrecision": "0.000001", "quotePrecision": "0.0000001"}
        return about | {
            "lotSizeFilter": lots | {"minOrderQty": "0.000011"},
            "marginTrading": "none",
        }
    lots = {"qtyStep": "0.001", "minOrderQty": "0.001", "maxOrderQty": "1190.000"}
    return about | {
        "contractType": "LinearPerpetual",
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "settleCoin": pair.quote,
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "lotSizeFilter": lots,
    }

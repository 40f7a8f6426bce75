"""Alpaca's crypto and stock candles through alpaca-py, with prices as they were traded.

Alpaca's daily crypto candles begin at an hour of American time, so longer crypto candles are made
from hours. Its stock candles cover the whole clock, before and after the session too. Those of at
most half an hour are kept inside the hours that are asked for. Longer intraday candles are made
from those of the session, starting at its true open. Weeks and months are made from days, because
Alpaca's own mix prices from before and after a split.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import structlog

from mela.calendars import ALWAYS, NO_SESSION, closes_ms, date_ms, sessions
from mela.errors import SourceRefused, SourceUnavailable
from mela.instrument import FactOrigin, Instrument
from mela.interval import Interval
from mela.market_hours import closes_in
from mela.risk_limits import SessionHours
from mela.settings import AlpacaSettings
from sources.alpaca_client import (
    actions_client,
    address,
    assets_client,
    crypto_client,
    now_s,
    stock_client,
)
from sources.alpaca_events import events_of
from sources.alpaca_library import (
    Adjustment,
    CryptoBarsRequest,
    CryptoLatestBarRequest,
    DataFeed,
    StockBarsRequest,
    StockLatestBarRequest,
    TimeFrame,
    TimeFrameUnit,
)
from sources.answers import keep_valid
from sources.instruments import describe
from sources.protocol import CorporateAction, FetchedCandles, Int, Origin, span_ms
from sources.resample import fetch_resampled
from sources.retry import RetryPolicy
from sources.row_validation import Rows

_FRAMES = {
    Interval.M1: TimeFrame(1, TimeFrameUnit("Min")),
    Interval.M3: TimeFrame(3, TimeFrameUnit("Min")),
    Interval.M5: TimeFrame(5, TimeFrameUnit("Min")),
    Interval.M15: TimeFrame(15, TimeFrameUnit("Min")),
    Interval.M30: TimeFrame(30, TimeFrameUnit("Min")),
    Interval.H1: TimeFrame(1, TimeFrameUnit("Hour")),
    Interval.D1: TimeFrame(1, TimeFrameUnit("Day")),
}
_OF_COINS = frozenset(_FRAMES) - {Interval.D1}
_OF_STOCKS = frozenset(_FRAMES) - {Interval.H1}
# Late trade reports correct candles; a delayed feed ends this long ago
_SETTLED_S = {"delayed_sip": 16 * 60}
_SETTLED_OTHERWISE_S = 60
_NEW_YORK = ZoneInfo("America/New_York")
log = structlog.get_logger()


class AlpacaSource:
    """Ask Alpaca, or the replay at `replay_url`. Coins need no keys; stocks do.

    hours: of stocks, which intraday candles there are; None for those of the settings
    settled_s: how long after its close a candle is given; None waits for late trade reports, as
        what is stored should. A live feed waits for nothing, and hears of corrections later
    """

    def __init__(
        self,
        settings: AlpacaSettings,
        replay_url: str | None = None,
        patience: RetryPolicy | None = None,
        *,
        settled_s: float | None = None,
        hours: SessionHours | None = None,
    ) -> None:
        self._settled_s = settled_s
        self._hours: SessionHours = hours or settings.hours
        self._settings = settings
        self._replay_url = replay_url
        self._origin: Origin = "replay" if replay_url else "internet"
        self._patience = patience or RetryPolicy()

    def fetch(
        self, symbol: str, interval: Interval, start: datetime, end: datetime
    ) -> FetchedCandles:
        """Return the closed candles of [start, end). See CandleSource.

        symbol: a coin and its quote, such as BTC/USD, or a stock, such as AAPL
        """
        is_coin = "/" in symbol
        if interval not in (_OF_COINS if is_coin else _OF_STOCKS):
            own, offered = (self._coin, _OF_COINS) if is_coin else (self._session, _OF_STOCKS)
            return fetch_resampled(own, offered, symbol, interval, start, end)
        if is_coin:
            return self._coin(symbol, interval, start, end)
        return self._stock(symbol, interval, start, end, self._hours)

    def _session(
        self, symbol: str, interval: Interval, start: datetime, end: datetime
    ) -> FetchedCandles:
        return self._stock(symbol, interval, start, end, "regular")

    def _coin(
        self, symbol: str, interval: Interval, start: datetime, end: datetime
    ) -> FetchedCandles:
        span = span_ms(start, end)
        client = crypto_client(self._settings, self._replay_url, self._patience)
        parameters: dict[str, Any] = {"symbol_or_symbols": symbol, "timeframe": _FRAMES[interval]}
        parameters |= _between(*span)
        bars_by_symbol = client.get_crypto_bars(CryptoBarsRequest(**parameters))
        latest = CryptoLatestBarRequest(symbol_or_symbols=symbol)
        _check_known(symbol, bars_by_symbol, lambda: client.get_crypto_latest_bar(latest))
        opened = _stamps_ms(bars_by_symbol.get(symbol, []))
        rows = _rows(bars_by_symbol.get(symbol, []), opened, interval.ends_ms(opened))
        request = {"endpoint": f"{address(self._replay_url)}/v1beta3/crypto/us/bars"}
        return self._fetched(symbol, interval, rows, span, now_s(client), request)

    def _stock(
        self,
        symbol: str,
        interval: Interval,
        start: datetime,
        end: datetime,
        hours: SessionHours,
    ) -> FetchedCandles:
        span = span_ms(start, end)
        client = stock_client(self._settings, self._replay_url, self._patience)
        feed = DataFeed(self._settings.feed)
        parameters: dict[str, Any] = {"symbol_or_symbols": symbol, "timeframe": _FRAMES[interval]}
        # Alpaca stamps a day with New York's midnight, hours after midnight in UTC
        later_ms = 0 if interval.is_intraday else 5 * 3_600_000
        parameters |= _between(span[0], span[1] + later_ms)
        bars = StockBarsRequest(**parameters, adjustment=Adjustment.RAW, feed=feed)
        bars_by_symbol = client.get_stock_bars(bars)
        latest = StockLatestBarRequest(symbol_or_symbols=symbol, feed=feed)
        _check_known(symbol, bars_by_symbol, lambda: client.get_stock_latest_bar(latest))
        rows = _session_rows(bars_by_symbol.get(symbol, []), interval, "XNYS", hours)
        now = now_s(client)
        events = actions_client(self._settings, self._replay_url, self._patience)
        first = start.astimezone(UTC).date()
        today = datetime.fromtimestamp(now, _NEW_YORK).date()
        actions = events_of(events, symbol, min(first, today), today)
        request = {
            "endpoint": f"{address(self._replay_url)}/v2/stocks/bars",
            "feed": feed.value,
            "adjustment": Adjustment.RAW.value,
            "hours": hours,
        }
        return self._fetched(symbol, interval, rows, span, now, request, actions)

    def _fetched(
        self,
        symbol: str,
        interval: Interval,
        rows: Rows,
        span: tuple[int, int],
        now: float,
        request: dict[str, Any],
        actions: tuple[CorporateAction, ...] = (),
    ) -> FetchedCandles:
        settled_s = self._settled_s
        if settled_s is None:
            settled_s = _SETTLED_S.get(str(request.get("feed")), _SETTLED_OTHERWISE_S)
        parameters = {"symbol": symbol, "timeframe": _FRAMES[interval].value}
        found = keep_valid(
            self._instrument(symbol),
            interval,
            rows,
            span=span,
            as_of_ms=int((now - settled_s) * 1000),
            origin=self._origin,
            actions=actions,
            request=request | parameters | {"start_ms": span[0], "end_ms": span[1]},
        )
        log.info("fetched", instrument=found.instrument.name, interval=interval, candles=len(found))
        return found

    def _instrument(self, symbol: str) -> Instrument:
        """Return what the candles' own service says, and what the asset adds where keys are set."""
        coin, _, quote = symbol.partition("/")
        facts: dict[str, Any] = (
            {"kind": "spot", "base": coin, "quote": quote, "calendar": ALWAYS, "timezone": "UTC"}
            if quote
            else {"base": symbol, "quote": "USD", "calendar": "XNYS", "timezone": _NEW_YORK.key}
        )
        known = describe(f"alpaca:{symbol}")
        if not quote and known.kind == "equity":
            facts["kind"] = "equity"  # to Alpaca all that trades in New York is one class
        origin = FactOrigin("asked", "alpaca")
        return known.with_facts(facts | self._asset(symbol), origin)

    def _asset(self, symbol: str) -> dict[str, Any]:
        """Return the facts of an asset; none where no keys are set or the service refuses."""
        if not self._settings.key.get_secret_value() and not self._replay_url:
            return {}
        try:
            client = assets_client(self._settings, self._replay_url, self._patience)
            asset: dict[str, Any] = client.get_asset(symbol)
        except (SourceRefused, SourceUnavailable) as error:
            log.warning("asset_not_known", symbol=symbol, reason=str(error))
            return {}
        steps = {"tick": asset.get("price_increment"), "lot": asset.get("min_trade_increment")}
        return {
            "exchange": str(asset["exchange"]) if asset.get("exchange") else None,
            **{name: float(step) if step else None for name, step in steps.items()},
        }


def _between(start_ms: int, end_ms: int) -> dict[str, Any]:
    """Return [start, end) as Alpaca expects it: Alpaca includes the end."""
    first, last = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (start_ms, end_ms - 1))
    return {"start": first, "end": last}


def _check_known(symbol: str, bars_by_symbol: Any, latest: Any) -> None:
    """Raise SourceRefused for an unknown symbol, which Alpaca answers like an empty span."""
    if not bars_by_symbol.get(symbol) and symbol not in latest():
        raise SourceRefused(
            f"Alpaca knows no symbol {symbol!r}. It writes AAPL for a stock and BTC/USD for a coin."
        )


def _session_rows(
    bars: list[dict[str, Any]], interval: Interval, calendar: str, hours: SessionHours
) -> Rows:
    stamps = _stamps_ms(bars)
    if interval.is_intraday:
        closed = closes_in(calendar, interval, stamps, hours)
        rows = _rows(bars, stamps, closed)
        if hours == "extended":
            return rows.where(closed != NO_SESSION)
        return rows.where(_in_session(calendar, stamps))
    local = [datetime.fromtimestamp(ms / 1000, _NEW_YORK).date() for ms in stamps.tolist()]
    opened = np.array([date_ms(day) for day in local], dtype=np.int64)
    return _rows(bars, opened, closes_ms(calendar, interval, opened))


def _in_session(calendar: str, opened_ms: Int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    known = sessions(calendar)
    index = np.searchsorted(known.open_ms, opened_ms, side="right") - 1
    return (index >= 0) & (opened_ms < known.close_ms[index])


def _stamps_ms(bars: list[dict[str, Any]]) -> Int:
    """Parse the bars' RFC 3339 times, in UTC with up to nanoseconds, as (n,) int64 milliseconds."""
    texts = [str(bar["t"]).removesuffix("Z") for bar in bars]
    return np.array(texts, dtype="datetime64[ns]").astype("datetime64[ms]").astype(np.int64)


def _rows(bars: list[dict[str, Any]], opened: Int, closed: Int) -> Rows:
    numbers = [[float(bar[name]) for name in "ohlcv"] for bar in bars]
    return Rows(opened, closed, *np.array(numbers, dtype=np.float64).reshape(-1, 5).T.copy())

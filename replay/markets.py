"""Yahoo's view of a market: its clock, the timestamps of its candles, a chart's meta."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from mela.calendars import ALWAYS, WEEKDAYS, has_sessions, session_dates, sessions, zone_of
from mela.interval import DAY_MS, HOUR_MS, Interval
from replay.series import Int, RecordedSeries
from sources.instruments import describe
from sources.yahoo_markets import exchange_code

_MORNING_MS = 14 * HOUR_MS + HOUR_MS // 2  # for a row on a day without a session
_RANGES = ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"]
_TYPES = {
    "XNYS": ("EQUITY", "NMS", "NasdaqGS"),
    ALWAYS: ("CRYPTOCURRENCY", "CCC", "CCC"),
    WEEKDAYS: ("CURRENCY", "CCY", "CCY"),
}
_WORDS = {"etf": "ETF", "index": "INDEX", "fund": "MUTUALFUND", "future": "FUTURE"}


@dataclass(frozen=True, slots=True)
class Market:
    """A symbol's market at an instant."""

    symbol: str
    currency: str
    calendar: str
    now_ms: int

    @property
    def zone(self) -> ZoneInfo:
        """Return the exchange's time zone."""
        return ZoneInfo("Europe/London" if self.calendar == WEEKDAYS else zone_of(self.calendar))

    def session_open_ms(self, date_ms: int) -> int:
        """Return when a date's session opens; midnight at the exchange if there is no session."""
        if has_sessions(self.calendar):
            known = sessions(self.calendar).between(date_ms, date_ms + DAY_MS)
            if len(known.open_ms):
                return int(known.open_ms[0])
        return self._midnight_ms(date_ms)

    def stamps_ms(self, series: RecordedSeries) -> Int:
        """Return Yahoo's timestamps of candles: (n,) int64, UTC milliseconds.

        Daily candles carry their session's open, and the running one the time of its last trade.
        Weeks and months carry midnight at the exchange. Shorter candles carry their own time, but
        never a time before the open.
        """
        if series.interval is not Interval.D1 and not series.interval.is_intraday:
            return np.array([self._midnight_ms(int(ms)) for ms in series.opened_ms], np.int64)
        if not has_sessions(self.calendar):
            if series.interval.is_intraday or self.calendar == ALWAYS:
                return series.opened_ms
            return np.array([self._midnight_ms(int(ms)) for ms in series.opened_ms], np.int64)
        known = sessions(self.calendar)
        index = np.searchsorted(known.date_ms, self.dates_ms(series))
        index = np.minimum(index, len(known.date_ms) - 1)
        if series.interval.is_intraday:
            return np.maximum(series.opened_ms, known.open_ms[index])
        dates = series.opened_ms
        stamps = np.where(known.date_ms[index] == dates, known.open_ms[index], dates + _MORNING_MS)
        running = (stamps <= self.now_ms) & (self.now_ms < known.close_ms[index])
        return np.where(running, self.now_ms // 1000 * 1000, stamps)

    def dates_ms(self, series: RecordedSeries) -> Int:
        """Return the session date of each candle at 00:00 UTC: (n,) int64."""
        dates = session_dates(self.calendar, series.interval, series.opened_ms)
        if dates is None:
            return series.opened_ms // DAY_MS * DAY_MS
        return np.array(dates, "datetime64[ms]").astype(np.int64)

    def trading_periods(self, stamps: Int) -> list[list[dict[str, Any]]]:
        """Return the regular hours of every day with a timestamp, as intraday charts carry them."""
        local = {datetime.fromtimestamp(ms / 1000, self.zone).date() for ms in stamps.tolist()}
        days = [int(datetime.combine(day, time(), UTC).timestamp()) * 1000 for day in sorted(local)]
        return [[self._period(*self._hours_ms(day))] for day in days]

    def meta(self, daily: RecordedSeries, granularity: str, range_name: str) -> dict[str, Any]:
        """Return a chart's meta. daily: the symbol's daily candles until now."""
        kind, exchange, full = self._listing()
        last_ms = int(daily.opened_ms[-1]) if len(daily) else self.now_ms
        start_ms, end_ms = self._hours_ms(last_ms // DAY_MS * DAY_MS)
        price = float(daily.columns["close"][-1]) if len(daily) else 0.0
        period = self._period(start_ms, end_ms)
        first_ms = int(daily.opened_ms[0]) if len(daily) else last_ms
        return {
            "currency": self.currency,
            "symbol": self.symbol,
            "exchangeName": exchange,
            "fullExchangeName": full,
            "instrumentType": kind,
            "firstTradeDate": self.session_open_ms(first_ms // DAY_MS * DAY_MS) // 1000,
            "regularMarketTime": min(self.now_ms, end_ms) // 1000,
            "hasPrePostMarketData": has_sessions(self.calendar),
            "gmtoffset": period["gmtoffset"],
            "timezone": period["timezone"],
            "exchangeTimezoneName": self.zone.key,
            "regularMarketPrice": price,
            "longName": self.symbol,
            "shortName": self.symbol,
            "priceHint": 4 if kind == "CURRENCY" else 2,
            "currentTradingPeriod": {
                "pre": self._period(start_ms, start_ms),
                "regular": period,
                "post": self._period(end_ms, end_ms),
            },
            "dataGranularity": granularity,
            "range": range_name,
            "validRanges": _RANGES,
        }

    def _listing(self) -> tuple[str, str, str]:
        """Return the type and the exchange's two names, as Yahoo writes them."""
        if not has_sessions(self.calendar):
            return _TYPES[self.calendar]
        kind = _WORDS.get(describe(f"yahoo:{self.symbol}").kind, "EQUITY")
        if kind == "ETF" and self.calendar == "XNYS":
            return kind, "PCX", "NYSEArca"
        code = exchange_code(self.calendar)
        return (kind, *_TYPES.get(self.calendar, ("", code, code))[1:])

    def _hours_ms(self, date_ms: int) -> tuple[int, int]:
        if has_sessions(self.calendar):
            known = sessions(self.calendar).between(date_ms, date_ms + DAY_MS)
            if len(known.open_ms):
                return int(known.open_ms[0]), int(known.close_ms[0])
        midnight = self._midnight_ms(date_ms)
        return midnight, self._midnight_ms(date_ms + DAY_MS)

    def _period(self, start_ms: int, end_ms: int) -> dict[str, Any]:
        start = datetime.fromtimestamp(start_ms / 1000, self.zone)
        offset = start.utcoffset()
        return {
            "timezone": start.tzname(),
            "start": start_ms // 1000,
            "end": end_ms // 1000,
            "gmtoffset": int(offset.total_seconds()) if offset else 0,
        }

    def _midnight_ms(self, date_ms: int) -> int:
        day = datetime.fromtimestamp(date_ms / 1000, UTC).date()
        return int(datetime.combine(day, time(), self.zone).timestamp()) * 1000


def market_of(symbol: str, series: RecordedSeries, now_ms: int) -> Market:
    """Return the market of a series under the name that Yahoo's client uses."""
    currency = describe(f"binance:{series.symbol}").quote
    if has_sessions(series.calendar):
        currency = describe(f"yahoo:{symbol}").quote
    return Market(symbol, currency, series.calendar, now_ms)

"""Yahoo Finance candles through yfinance, split adjustment undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import structlog
import yfinance as yf
from yfinance.exceptions import YFException, YFPricesMissingError, YFRateLimitError

from mela.calendars import closes_ms, date_ms, floor_ms, session_dates
from mela.errors import SourceRefused, SourceUnavailable
from mela.interval import Interval
from sources.laws import Rows, lawful
from sources.protocol import CorporateAction, Fetched, Int, Origin, span_ms
from sources.retry import Busy, Patience, persist
from sources.splits import as_paid, ratios, restore_prices, restore_volumes, split
from sources.yahoo_client import YahooSession, yahoo
from sources.yahoo_markets import instrument_of

TIMEOUT_S = 15
DELAY_S = 1800  # Yahoo's quotes of some exchanges come up to half an hour late
# Yahoo's word for each interval that it offers, and the longest span of one request
_OFFERED: dict[Interval, tuple[str, timedelta | None]] = {
    Interval.M1: ("1m", timedelta(days=7)),
    Interval.M5: ("5m", timedelta(days=59)),
    Interval.M15: ("15m", timedelta(days=59)),
    Interval.M30: ("30m", timedelta(days=59)),
    Interval.H1: ("1h", timedelta(days=729)),
    Interval.D1: ("1d", None),
    Interval.W1: ("1wk", None),
    Interval.MO1: ("1mo", None),
}
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """Frames of prices as yfinance gives them, the daily one with events, and what was beside."""

    prices: pd.DataFrame
    daily: pd.DataFrame
    meta: dict[str, Any]
    now_ms: int


class YahooSource:
    """Ask Yahoo, or the replay at `replay_url`. No key is needed."""

    def __init__(self, replay_url: str | None = None, patience: Patience | None = None) -> None:
        self._replay_url = replay_url
        self._origin: Origin = "replay" if replay_url else "internet"
        self._patience = patience or Patience()

    def fetch(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> Fetched:
        """Return the closed candles of [start, end). See CandleSource."""
        start_ms, end_ms = span_ms(start, end)
        if interval not in _OFFERED:
            offered = ", ".join(_OFFERED)
            raise SourceRefused(f"Yahoo has no {interval} candles; it offers {offered}")
        answer = self._answer(symbol, interval, start, end)
        instrument = instrument_of(symbol, answer.meta)
        if instrument.kind == "equity" and answer.daily.empty and not answer.prices.empty:
            raise SourceUnavailable(f"Yahoo gave no split events for {symbol}; try later")
        actions = _actions(answer.daily, start_ms)
        rows = _rows(answer.prices, interval, instrument.calendar)
        kept, rejected = lawful(_restored(rows, actions).between(start_ms, end_ms, answer.now_ms))
        log.info("fetched", instrument=instrument.name, interval=interval, candles=len(kept))
        return Fetched(
            instrument=instrument,
            interval=interval,
            opened_ms=kept.opened_ms,
            closed_ms=kept.closed_ms,
            open=kept.open,
            high=kept.high,
            low=kept.low,
            close=kept.close,
            volume=kept.volume,
            session_on=session_dates(instrument.calendar, interval, kept.opened_ms),
            actions=actions,
            rejected=rejected,
            request={
                "endpoint": f"{self._replay_url or 'https://query2.finance.yahoo.com'}"
                f"/v8/finance/chart/{symbol}",
                "interval": _OFFERED[interval][0],
                "start": start.astimezone(UTC).isoformat(),
                "end": end.astimezone(UTC).isoformat(),
                "auto_adjust": False,
                "events": "div,splits,capitalGains",
            },
            origin=self._origin,
            source="yahoo",
        )

    def _answer(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> _Answer:
        with yahoo(self._replay_url) as session:
            ticker = yf.Ticker(symbol, session=session)

            def ask(word: str, since: Any, until: Any) -> pd.DataFrame:
                return persist(lambda: _history(ticker, word, since, until), self._patience)

            # to today, whatever the span's end: later splits are worked into these prices too
            daily = ask("1d", start.astimezone(UTC).date(), None)
            prices = daily
            if interval is not Interval.D1:
                word = _OFFERED[interval][0]
                parts = [ask(word, *page) for page in _pages(interval, start, end)]
                prices = pd.concat([part for part in parts if len(part)] or [daily.iloc[:0]])
            said = ticker.history_metadata
            meta = {key: said[key] for key in _META if key in said}
            return _Answer(prices, daily, meta, _now_ms(session, meta))


def _history(ticker: yf.Ticker, word: str, since: Any, until: Any) -> pd.DataFrame:
    try:
        return ticker.history(
            interval=word,
            start=since,
            end=until,
            auto_adjust=False,
            actions=True,
            keepna=True,
            timeout=TIMEOUT_S,
        )
    except YFPricesMissingError as error:
        if error.yahoo_reason is not None:
            raise SourceRefused(f"Yahoo refused: {error}") from error
        return _EMPTY
    except YFRateLimitError as error:
        raise Busy(f"Yahoo answered 429: {error}") from error
    except YFException as error:
        raise Busy(f"Yahoo's answer could not be used: {error}") from error
    except (OSError, ValueError) as error:  # the connection; a body that is no JSON
        raise Busy(f"Yahoo could not be reached: {error}.") from error


def _pages(
    interval: Interval, start: datetime, end: datetime
) -> Iterator[tuple[date | datetime, date | datetime]]:
    longest = _OFFERED[interval][1]
    if longest is None:
        # weeks and months are asked whole: Yahoo begins the first one at the first day asked for
        first = int(floor_ms(interval, np.array([span_ms(start, end)[0]], dtype=np.int64))[0])
        yield datetime.fromtimestamp(first / 1000, UTC).date(), end.date() + timedelta(days=1)
        return
    while start < end:
        until = min(start + longest, end)
        yield start, until
        start = until


def _now_ms(session: YahooSession, meta: dict[str, Any]) -> int:
    """Return until when Yahoo's prices are final: its clock, less the delay of a late exchange."""
    traded = meta.get("regularMarketTime")
    traded_s = traded.timestamp() if isinstance(traded, datetime) else 0.0
    settled_s = max(traded_s, session.service_now_s - DELAY_S)
    return int(min(session.service_now_s, settled_s) * 1000)


def _rows(prices: pd.DataFrame, interval: Interval, calendar: str) -> Rows:
    opened = _opened_ms(prices, interval)
    open_, high, low, close, volume = (prices[name].to_numpy(np.float64) for name in _COLUMNS)
    closed = closes_ms(calendar, interval, opened)
    return Rows(opened, closed, open_, high, low, close, volume)


def _opened_ms(prices: pd.DataFrame, interval: Interval) -> Int:
    index = pd.DatetimeIndex(prices.index)
    if interval.is_intraday:
        return np.asarray(index.tz_convert("UTC").tz_localize(None), "datetime64[ms]").astype(
            np.int64
        )
    # local midnight of the exchange stands for the date
    dates = np.asarray(index.tz_localize(None), "datetime64[ms]").astype(np.int64)
    return floor_ms(interval, dates)


def _restored(rows: Rows, actions: tuple[CorporateAction, ...]) -> Rows:
    ratio = ratios(rows.opened_ms, [event for event in actions if event.kind == "split"])
    return Rows(
        rows.opened_ms,
        rows.closed_ms,
        restore_prices(rows.open, ratio),
        restore_prices(rows.high, ratio),
        restore_prices(rows.low, ratio),
        restore_prices(rows.close, ratio),
        restore_volumes(rows.volume, ratio),
    )


def _actions(daily: pd.DataFrame, start_ms: int) -> tuple[CorporateAction, ...]:
    """Return the events of the daily answer, oldest first, a split before a dividend of its day."""
    if daily.empty:
        return ()
    days = [stamp.date() for stamp in pd.DatetimeIndex(daily.index)]
    values = {name: daily[name].to_numpy(np.float64) for name in _EVENTS}
    splits = [split(day, float(v)) for day, v in zip(days, values[_SPLIT], strict=True) if v]
    paid = [as_paid(day, float(v), splits) for day, v in zip(days, values[_PAID], strict=True) if v]
    since = start_ms - start_ms % date_ms(date(1970, 1, 2))
    actions = [event for event in (*splits, *paid) if event.effective_ms >= since]
    return tuple(sorted(actions, key=lambda event: (event.effective_ms, event.kind != "split")))


_SPLIT, _PAID = _EVENTS = ("Stock Splits", "Dividends")
_META = ("instrumentType", "exchangeName", "currency", "firstTradeDate", "regularMarketTime")
_COLUMNS = ("Open", "High", "Low", "Close", "Volume")
_EMPTY = pd.DataFrame(
    {name: pd.Series(dtype=np.float64) for name in (*_COLUMNS, *_EVENTS)},
    index=pd.DatetimeIndex([], tz="UTC"),
)

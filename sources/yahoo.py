"""Yahoo Finance candles through yfinance, with the split adjustment undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import structlog
import yfinance as yf
from yfinance.exceptions import YFException, YFPricesMissingError, YFRateLimitError

from mela.errors import SourceRefused, SourceUnavailable
from mela.interval import Interval
from sources.answers import keep_valid
from sources.protocol import FetchedCandles, Origin, span_ms
from sources.resample import fetch_resampled
from sources.retry import RetryPolicy, ServiceBusy
from sources.yahoo_client import YahooSession, yahoo
from sources.yahoo_markets import instrument_of
from sources.yahoo_rows import COLUMNS, EVENTS, actions_of, rows_of, undo_split_adjustment

DELAY_S = 1800  # Yahoo's quotes of some exchanges come up to half an hour late
OLD = "within the last"  # part of Yahoo's message for data that it no longer keeps
# interval → the longest span of one request, and for how many days Yahoo keeps it
_OFFERED: dict[Interval, tuple[timedelta | None, int | None]] = {
    Interval.M1: (timedelta(days=7), 30),
    Interval.M5: (timedelta(days=59), 60),
    Interval.M15: (timedelta(days=59), 60),
    Interval.H1: (timedelta(days=729), 730),
    Interval.D1: (None, None),
}
# 30m, 1wk and 1mo are resampled here and marked so: yfinance makes 30m of 15m itself, its 1.7.0
# merges the last two weeks of an answer in spring, and Yahoo's own mix prices across splits
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """yfinance's frames (prices, daily prices with events), the chart's meta, Yahoo's clock."""

    prices: pd.DataFrame
    daily: pd.DataFrame
    meta: dict[str, Any]
    now_ms: int


class YahooSource:
    """Ask Yahoo, or the replay at `replay_url`. No key is needed."""

    def __init__(self, replay_url: str | None = None, patience: RetryPolicy | None = None) -> None:
        self._replay_url = replay_url
        self._origin: Origin = "replay" if replay_url else "internet"
        self._patience = patience or RetryPolicy()

    def fetch(
        self, symbol: str, interval: Interval, start: datetime, end: datetime
    ) -> FetchedCandles:
        """Return the closed candles of [start, end). See CandleSource.

        Raises SourceRefused for intraday candles older than Yahoo keeps them.
        """
        span_ms(start, end)
        if interval in _OFFERED:
            found = self._fetch(symbol, interval, start, end)
        else:
            found = fetch_resampled(self._fetch, _OFFERED, symbol, interval, start, end)
        name = found.instrument.name
        log.info("fetched", instrument=name, interval=interval, candles=len(found))
        return found

    def _fetch(
        self, symbol: str, interval: Interval, start: datetime, end: datetime
    ) -> FetchedCandles:
        start_ms, end_ms = span_ms(start, end)
        answer = self._answer(symbol, interval, start, end)
        instrument = instrument_of(symbol, answer.meta)
        if instrument.kind in ("equity", "etf") and answer.daily.empty and not answer.prices.empty:
            raise SourceUnavailable(f"Yahoo gave no split events for {symbol}; try later")
        actions = actions_of(answer.daily, start_ms)
        splits = [event for event in actions if event.kind == "split"]
        return keep_valid(
            instrument,
            interval,
            undo_split_adjustment(rows_of(answer.prices, interval, instrument.calendar), splits),
            span=(start_ms, end_ms),
            as_of_ms=answer.now_ms,
            actions=actions,
            request={
                "endpoint": f"{self._replay_url or 'https://query2.finance.yahoo.com'}"
                f"/v8/finance/chart/{symbol}",
                "interval": interval.value,
                "start": start.astimezone(UTC).isoformat(),
                "end": end.astimezone(UTC).isoformat(),
                "auto_adjust": False,
                "events": "div,splits,capitalGains",
            },
            origin=self._origin,
        )

    def _answer(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> _Answer:
        with yahoo(self._replay_url) as session:
            ticker = yf.Ticker(symbol, session=session)

            def ask(word: str, since: Any, until: Any) -> pd.DataFrame:
                timeout_s = self._patience.timeout_s
                call = lambda: _history(ticker, word, since, until, timeout_s)  # noqa: E731
                # the session takes the tokens, because a first history needs several requests
                return session.service.ask(call, self._patience, tokens=0)

            # until today, whatever the span's end, because later splits adjust these prices too
            daily = ask("1d", start.astimezone(UTC).date(), None)
            prices = daily
            if interval is not Interval.D1:
                now = datetime.fromtimestamp(session.service_now_s, UTC)
                pages = _pages(interval, start, min(end, now + timedelta(days=1)))
                try:
                    parts = [ask(interval.value, *page) for page in pages]
                except SourceRefused as error:
                    raise _retention_error(error, symbol, interval, start, now) from error
                prices = pd.concat([part for part in parts if len(part)] or [daily.iloc[:0]])
            metadata = ticker.history_metadata
            meta = {key: metadata[key] for key in _META if key in metadata}
            return _Answer(prices, daily, meta, _now_ms(session, meta))


def _history(
    ticker: yf.Ticker, word: str, since: Any, until: Any, timeout_s: float
) -> pd.DataFrame:
    try:
        return ticker.history(
            interval=word,
            start=since,
            end=until,
            auto_adjust=False,
            actions=True,
            keepna=True,
            timeout=timeout_s,
        )
    except YFPricesMissingError as error:
        if error.yahoo_reason is not None:
            raise SourceRefused(f"Yahoo refused: {error}") from error
        return _EMPTY
    except YFRateLimitError as error:
        raise ServiceBusy(f"Yahoo answered 429: {error}") from error
    except YFException as error:
        raise ServiceBusy(f"Yahoo's answer could not be used: {error}") from error
    except (OSError, ValueError) as error:  # no connection, or a body that is no JSON
        raise ServiceBusy(f"Yahoo could not be reached: {error}.") from error


def _retention_error(
    error: SourceRefused, symbol: str, interval: Interval, start: datetime, now: datetime
) -> SourceRefused:
    days = _OFFERED[interval][1]
    if OLD not in str(error) or days is None:
        return error
    earliest = now - timedelta(days=days)
    return SourceRefused(
        f"Yahoo keeps {interval} candles for {days} days, of {symbol} now since "
        f"{earliest:%Y-%m-%dT%H:%MZ}, but the span starts {start.astimezone(UTC):%Y-%m-%dT%H:%MZ}. "
        f"Start it later, or ask for longer candles: 1h is kept for 730 days, 1d for ever. {error}"
    )


def _pages(
    interval: Interval, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    longest = _OFFERED[interval][0] or end - start
    while start < end:
        until = min(start + longest, end)
        yield start, until
        start = until


def _now_ms(session: YahooSession, meta: dict[str, Any]) -> int:
    """Return the time until which Yahoo's prices are final: its clock less the exchange's delay."""
    traded = meta.get("regularMarketTime")
    traded_s = traded.timestamp() if isinstance(traded, datetime) else 0.0
    settled_s = max(traded_s, session.service_now_s - DELAY_S)
    return int(min(session.service_now_s, settled_s) * 1000)


_META = (
    *("instrumentType", "exchangeName", "exchangeTimezoneName", "currency"),
    *("firstTradeDate", "regularMarketTime"),
)
_EMPTY = pd.DataFrame(
    {name: pd.Series(dtype=np.float64) for name in (*COLUMNS, *EVENTS)},
    index=pd.DatetimeIndex([], tz="UTC"),
)

"""Closed candles over REST, by the same sources that the warehouse loads from."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache

from live.clock import Clock
from live.events import CandleClosed
from mela.instrument import parse_name
from mela.interval import Interval
from mela.risk_limits import SessionHours
from mela.settings import Settings
from sources.protocol import CandleSource, FetchedCandles
from sources.retry import RetryPolicy

_THREADS = 4
PATIENCE = RetryPolicy(attempts=3, first_s=0.2, longest_s=5.0, total_s=20.0, timeout_s=10.0)


class RestCandles:
    """Ask one venue, a few requests at a time, each in a thread with a source of its own."""

    def __init__(
        self, venue: str, settings: Settings, clock: Clock, patience: RetryPolicy = PATIENCE
    ) -> None:
        self._venue = venue
        self._settings = settings
        self._patience = patience
        self._clock = clock
        self._own = threading.local()
        threads = _THREADS if venue in ("binance", "alpaca") else 1  # ccxt loads all markets
        self._threads = ThreadPoolExecutor(threads, f"rest-{venue}")

    async def fetch(
        self,
        instrument: str,
        interval: Interval,
        from_ms: int,
        to_ms: int,
        hours: SessionHours = "regular",
    ) -> list[CandleClosed]:
        """Return the closed candles with from_ms ≤ opened_ms < to_ms, oldest first.

        Raises SourceUnavailable or SourceRefused.
        """
        if to_ms <= from_ms:
            return []
        loop = asyncio.get_running_loop()
        symbol = parse_name(instrument)[1]
        ask = (self._ask, symbol, interval, from_ms, to_ms, hours)
        found = await loop.run_in_executor(self._threads, *ask)
        return _candles(instrument, found, self._clock.now_ms())

    def close(self) -> None:
        """Begin no more requests; those that run end by their own time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(
        self, symbol: str, interval: Interval, from_ms: int, to_ms: int, hours: SessionHours
    ) -> FetchedCandles:
        source: CandleSource | None = getattr(self._own, hours, None)
        if source is None:  # the libraries take seconds to import
            source = _source_of(self._venue, self._settings, self._patience, hours)
            setattr(self._own, hours, source)
        start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (from_ms, to_ms))
        return source.fetch(symbol, interval, start, end)


def _source_of(
    venue: str, settings: Settings, patience: RetryPolicy, hours: SessionHours
) -> CandleSource:
    """Return the venue's source, without archives and without waiting for late reports."""
    if venue == "binance":
        from sources.binance import BinanceSource

        class LiveSource(BinanceSource):
            """Ask what a symbol is once: a live feed fetches it again and again."""

            _instrument = cache(BinanceSource._instrument)

        return LiveSource(settings.replay_url, patience, archive_pages=1_000_000_000)
    if venue == "alpaca":
        from sources.alpaca import AlpacaSource

        of = settings.alpaca, settings.replay_url, patience
        return AlpacaSource(*of, settled_s=0.0, hours=hours)
    from sources.ccxt_candles import CcxtSource

    return CcxtSource(venue, settings.replay_url, patience)


def _candles(instrument: str, found: FetchedCandles, received_ms: int) -> list[CandleClosed]:
    columns = (found.opened_ms, found.open, found.high, found.low, found.close, found.volume)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [CandleClosed(instrument, found.interval, *row, received_ms=received_ms) for row in rows]

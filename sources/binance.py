"""Binance spot candles through python-binance."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, TypeVar

import numpy as np
import requests
import structlog

from mela.errors import SourceRefused
from mela.instrument import Instrument
from mela.interval import DAY_MS, Interval
from sources.answers import keep_valid
from sources.binance_archive import Archive, ArchiveFile
from sources.limits import Limit
from sources.protocol import FetchedCandles, Origin, span_ms
from sources.retry import RetryPolicy, ServiceBusy, retry_after_s
from sources.row_validation import Rows, concatenate_rows
from sources.service import service_of

with warnings.catch_warnings():  # python-binance 1.0.37 imports an old name of websockets
    warnings.filterwarnings("ignore", "websockets", DeprecationWarning)
    from binance.client import Client
    from binance.exceptions import BinanceAPIException, BinanceRequestException

T = TypeVar("T")
PAGE = 1000  # the maximum rows per call
ARCHIVE_PAGES = 24  # spans of this many pages use the archive if it saves calls
HOST = "https://api.binance.com"
_BUSY = (403, 418, 429)  # 403 comes from its firewall, which opens again later
# request weight: at most 6000 in any minute, 1200 + 60 × 80
_LIMIT = Limit(burst=1200, per_s=80, window_tokens=6000)
_WEIGHTS = {"time": 1, "exchangeInfo": 20, "klines": 2}
_USED = "X-MBX-USED-WEIGHT-1M"
log = structlog.get_logger()


def instrument_of(found: Mapping[str, Any]) -> Instrument:
    """Return the instrument that an entry of exchangeInfo describes."""
    filters = {entry["filterType"]: entry for entry in found["filters"]}
    return Instrument(
        venue="binance",
        symbol=found["symbol"],
        kind="spot",
        quote=found["quoteAsset"],
        calendar="24/7",
        tick=float(filters["PRICE_FILTER"]["tickSize"]) or None,  # 0 says that none is kept
        lot=float(filters["LOT_SIZE"]["stepSize"]) or None,
        base=found["baseAsset"],
        exchange="binance",
        timezone="UTC",
    )


class BinanceSource:
    """Ask Binance, or the replay at `replay_url`. No key is needed.

    archive_pages: spans of at least this many pages are read from the archive's files if that saves
        calls (a month has more than two pages: 15m and shorter); the rest comes from the API
    """

    def __init__(
        self,
        replay_url: str | None = None,
        patience: RetryPolicy | None = None,
        archive_pages: int = ARCHIVE_PAGES,
    ) -> None:
        self._origin: Origin = "replay" if replay_url else "internet"
        self._patience = patience or RetryPolicy()
        self._archive_pages = archive_pages
        self._archive = Archive(replay_url, self._patience)
        self._service = service_of("Binance", replay_url or HOST, _LIMIT)
        self._client = _client(replay_url, self._patience.timeout_s)

    def fetch(
        self, symbol: str, interval: Interval, start: datetime, end: datetime
    ) -> FetchedCandles:
        """Return the closed candles of [start, end). See CandleSource."""
        span = span_ms(start, end)
        instrument = self._instrument(symbol)
        now_ms = int(self._ask("time", self._client.get_server_time)["serverTime"])
        lineage = _Lineage()
        if pages_of(interval, *span) >= self._archive_pages and _saves_calls(interval):
            parts = self._from_archive(instrument.symbol, interval, *span, now_ms, lineage)
        else:
            parts = self._pages(symbol, interval, *span, lineage)
        rows = concatenate_rows([_rows([], interval), *parts])
        request: dict[str, Any] = {
            "endpoint": f"{self._client.API_URL}/v3/klines",
            "symbol": symbol,
            "interval": binance_interval(interval),
            "startTime": span[0],
            "endTime": span[1] - 1,
        }
        found = keep_valid(
            instrument,
            interval,
            rows,
            span=span,
            as_of_ms=now_ms,
            request=request | lineage.as_request(),
            origin=self._origin,
        )
        log.info("fetched", instrument=instrument.name, interval=interval, candles=len(found))
        return found

    def _pages(
        self, symbol: str, interval: Interval, start_ms: int, end_ms: int, lineage: _Lineage
    ) -> Iterator[Rows]:
        """Yield pages, oldest first. get_historical_klines would sleep after every third."""
        while start_ms < end_ms:
            page = self._page(symbol, interval, start_ms, end_ms, PAGE)
            lineage.pages += 1
            lineage.derivation = self._client.response.headers.get("X-Mela-Replay")
            yield _rows(page, interval)
            if len(page) < PAGE:
                return
            start_ms = int(page[-1][0]) + 1

    def _page(
        self, symbol: str, interval: Interval, start_ms: int, end_ms: int, limit: int
    ) -> list[list[Any]]:
        parameters = {"symbol": symbol, "interval": binance_interval(interval), "limit": limit}
        parameters |= {"startTime": start_ms, "endTime": end_ms - 1}  # open times, both inclusive
        return self._ask("klines", lambda: self._client.get_klines(**parameters))

    def _from_archive(
        self,
        symbol: str,
        interval: Interval,
        start_ms: int,
        end_ms: int,
        now_ms: int,
        lineage: _Lineage,
    ) -> Iterator[Rows]:
        """Yield candles from the archive's files, and API pages for what has no file.

        A finished month is one file. If that is not published yet (a new month takes some days),
        its days are files. The API serves everything from the first day without a file.
        """
        first = self._page(
            symbol, interval, start_ms, end_ms, 1
        )  # there are no files before the listing
        if not first:
            return
        for month in months_of(int(first[0][0]), end_ms):
            begins, ends = max(start_ms, ms_of(month)), min(end_ms, ms_of(month + 1))
            whole = None
            if ms_of(month + 1) <= now_ms:
                whole = self._archive.month(symbol, interval, month.astype(date))
            if whole is not None:
                yield lineage.add_file(whole)
                continue
            for day in days_of(begins, min(ends, now_ms)):
                part = self._archive.day(symbol, interval, day.astype(date))
                if part is None:
                    break
                yield lineage.add_file(part)
                begins = ms_of(day + 1)
            yield from self._pages(symbol, interval, begins, ends, lineage)

    def _instrument(self, symbol: str) -> Instrument:
        """Request one symbol, which the client cannot pass: without it exchangeInfo is 15 MB."""
        info = self._ask(
            "exchangeInfo",
            lambda: self._client._get("exchangeInfo", data={"symbol": symbol}),  # pyright: ignore[reportPrivateUsage]
        )
        return instrument_of(info["symbols"][0])

    def _ask(self, endpoint: str, call: Callable[[], Any]) -> Any:
        def counted() -> Any:
            self._client.response = None
            try:
                return _translate_errors(call)
            finally:
                response = self._client.response
                if response is not None and _USED in response.headers:
                    self._service.bucket.report_used(int(response.headers[_USED]))

        return self._service.ask(counted, self._patience, tokens=_WEIGHTS[endpoint])


@dataclass(slots=True)
class _Lineage:
    """The pages and files that an answer was assembled from, for the load's lineage."""

    pages: int = 0
    files: list[str] = field(default_factory=list[str])
    derivation: str | None = None

    def add_file(self, found: ArchiveFile) -> Rows:
        self.files.append(f"{found.name} sha256:{found.sha256}")
        self.derivation = found.derivation
        return found.rows

    def as_request(self) -> dict[str, Any]:
        request: dict[str, Any] = {"pages": self.pages}
        if self.files:
            request["archives"] = self.files
        return request | ({"replayed": self.derivation} if self.derivation else {})


def binance_interval(interval: Interval) -> str:
    """Return Binance's name for an interval. Binance offers all of ours.

    >>> binance_interval(Interval("1mo")), binance_interval(Interval("1m"))
    ('1M', '1m')
    """
    return "1M" if interval is Interval.MO1 else interval.value


def pages_of(interval: Interval, start_ms: int, end_ms: int) -> float:
    """Return how many API pages a span takes."""
    return (end_ms - start_ms) / (interval.fixed_ms or 28 * DAY_MS) / PAGE


def _saves_calls(interval: Interval) -> bool:
    """Tell whether a month's file and checksum take fewer calls than its pages."""
    return pages_of(interval, 0, 28 * DAY_MS) > 2


def months_of(start_ms: int, end_ms: int) -> list[np.datetime64]:
    """Return the months that overlap [start, end)."""
    return _units(start_ms, end_ms, "M")


def days_of(start_ms: int, end_ms: int) -> list[np.datetime64]:
    """Return the days that overlap [start, end); an empty list if the span is empty."""
    return _units(start_ms, end_ms, "D")


def ms_of(unit: np.datetime64) -> int:
    """Return the start of a day or a month in UTC milliseconds."""
    return int(unit.astype("datetime64[ms]").astype(np.int64))


def _units(start_ms: int, end_ms: int, unit: Literal["D", "M"]) -> list[np.datetime64]:
    if end_ms <= start_ms:
        return []
    first, last = (
        np.datetime64(ms, "ms").astype(f"datetime64[{unit}]") for ms in (start_ms, end_ms - 1)
    )
    return list(np.arange(first, last + 1))


def _client(replay_url: str | None, timeout_s: float) -> Client:
    client_class: type[Client] = Client
    if replay_url:  # base_endpoint and tld can only name other hosts of binance itself
        client_class = type("ReplayClient", (Client,), {"API_URL": f"{replay_url.rstrip('/')}/api"})
    with _loop_closed_again():
        return client_class(ping=False, requests_params={"timeout": timeout_s})


@contextmanager
def _loop_closed_again() -> Generator[None]:
    """Close the event loop that python-binance makes in a thread without one, and never uses."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            yield
        finally:
            asyncio.set_event_loop(None)
            loop.close()
    else:
        yield


def _translate_errors(call: Callable[[], T]) -> T:
    try:
        return call()
    except BinanceAPIException as error:
        message = f"Binance answered {error.status_code}: {error.message} ({error.code})."
        if error.status_code in _BUSY or error.status_code >= 500:
            headers = error.response.headers
            raise ServiceBusy(message, retry_after_s(headers.get("Retry-After"))) from error
        raise SourceRefused(_refusal(error, message)) from error
    except (BinanceRequestException, requests.RequestException) as error:
        raise ServiceBusy(f"Binance could not be reached: {error}.") from error


def _refusal(error: BinanceAPIException, message: str) -> str:
    if error.code == -1121:
        return f"Binance has no such symbol. It writes BTCUSDT, without a separator. {message}"
    return message


def _rows(raw: list[list[Any]], interval: Interval) -> Rows:
    opened = np.array([row[0] for row in raw], dtype=np.int64)
    values = np.array([[float(field) for field in row[1:6]] for row in raw], dtype=np.float64)
    return Rows(opened, interval.ends_ms(opened), *values.reshape(-1, 5).T.copy())

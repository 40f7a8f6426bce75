"""Binance spot candles through python-binance."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
import requests
import structlog

from mela.errors import SourceRefused
from mela.instrument import Instrument
from mela.interval import Interval
from sources.laws import Rows, lawful
from sources.protocol import Fetched, Origin, span_ms
from sources.retry import Busy, Patience, persist, retry_after_s

with warnings.catch_warnings():  # python-binance 1.0.37 imports an old name of websockets
    warnings.filterwarnings("ignore", "websockets", DeprecationWarning)
    from binance.client import Client
    from binance.exceptions import BinanceAPIException, BinanceRequestException

T = TypeVar("T")
PAGE = 1000  # the most rows that one call gives
TIMEOUT_S = 15
_BUSY = (418, 429)
log = structlog.get_logger()


class BinanceSource:
    """Ask Binance, or the replay at `replay_url`. No key is needed."""

    def __init__(self, replay_url: str | None = None, patience: Patience | None = None) -> None:
        self._origin: Origin = "replay" if replay_url else "internet"
        self._patience = patience or Patience()
        self._client = _client(replay_url)

    def fetch(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> Fetched:
        """Return the closed candles of [start, end). See CandleSource."""
        start_ms, end_ms = span_ms(start, end)
        instrument = self._instrument(symbol)
        now_ms = int(self._ask(self._client.get_server_time)["serverTime"])
        raw = [row for page in self._pages(symbol, interval, start_ms, end_ms) for row in page]
        rows, rejected = lawful(_rows(raw, interval).between(start_ms, end_ms, now_ms))
        log.info("fetched", instrument=instrument.name, interval=interval, candles=len(rows))
        return Fetched(
            instrument=instrument,
            interval=interval,
            opened_ms=rows.opened_ms,
            closed_ms=rows.closed_ms,
            open=rows.open,
            high=rows.high,
            low=rows.low,
            close=rows.close,
            volume=rows.volume,
            session_on=None,
            actions=(),
            rejected=rejected,
            request={
                "endpoint": f"{self._client.API_URL}/v3/klines",
                "symbol": symbol,
                "interval": binance_interval(interval),
                "startTime": start_ms,
                "endTime": end_ms - 1,
            },
            origin=self._origin,
            source="binance",
        )

    def _pages(
        self, symbol: str, interval: Interval, start_ms: int, end_ms: int
    ) -> Iterator[list[list[Any]]]:
        """Yield pages, oldest first. get_historical_klines sleeps a second after every third."""
        while start_ms < end_ms:
            asked = {"symbol": symbol, "interval": binance_interval(interval), "limit": PAGE}
            asked |= {"startTime": start_ms, "endTime": end_ms - 1}  # both inclusive, of open time
            page = self._ask(lambda asked=asked: self._client.get_klines(**asked))
            yield page
            if len(page) < PAGE:
                return
            start_ms = int(page[-1][0]) + 1

    def _instrument(self, symbol: str) -> Instrument:
        """Ask for one symbol: without it, exchangeInfo is 15 MB, and the client cannot pass it."""
        info = self._ask(lambda: self._client._get("exchangeInfo", data={"symbol": symbol}))  # pyright: ignore[reportPrivateUsage]
        found = info["symbols"][0]
        filters = {entry["filterType"]: entry for entry in found["filters"]}
        return Instrument(
            venue="binance",
            symbol=found["symbol"],
            kind="spot",
            quote=found["quoteAsset"],
            calendar="24/7",
            tick=float(filters["PRICE_FILTER"]["tickSize"]),
            lot=float(filters["LOT_SIZE"]["stepSize"]),
        )

    def _ask(self, call: Callable[[], Any]) -> Any:
        return persist(lambda: _translated(call), self._patience)


def binance_interval(interval: Interval) -> str:
    """Return Binance's word for an interval; it has all of ours.

    >>> binance_interval(Interval("1mo")), binance_interval(Interval("1m"))
    ('1M', '1m')
    """
    return "1M" if interval is Interval.MO1 else interval.value


def _client(replay_url: str | None) -> Client:
    asked: type[Client] = Client
    if replay_url:  # base_endpoint and tld can only name other hosts of binance itself
        asked = type("ReplayClient", (Client,), {"API_URL": f"{replay_url.rstrip('/')}/api"})
    return asked(ping=False, requests_params={"timeout": TIMEOUT_S})


def _translated(call: Callable[[], T]) -> T:
    try:
        return call()
    except BinanceAPIException as error:
        said = f"Binance answered {error.status_code}: {error.message} ({error.code})."
        if error.status_code in _BUSY or error.status_code >= 500:
            headers = error.response.headers
            raise Busy(said, retry_after_s(headers.get("Retry-After"))) from error
        raise SourceRefused(_refusal(error, said)) from error
    except (BinanceRequestException, requests.RequestException) as error:
        raise Busy(f"Binance could not be reached: {error}.") from error


def _refusal(error: BinanceAPIException, said: str) -> str:
    if error.code == -1121:
        return f"Binance has no such symbol. It writes BTCUSDT, without a separator. {said}"
    return said


def _rows(raw: list[list[Any]], interval: Interval) -> Rows:
    opened = np.array([row[0] for row in raw], dtype=np.int64)
    values = np.array([[float(field) for field in row[1:6]] for row in raw], dtype=np.float64)
    return Rows(opened, interval.ends_ms(opened), *values.reshape(-1, 5).T.copy())

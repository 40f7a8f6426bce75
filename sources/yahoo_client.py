"""yfinance with clear errors, rate limits, and no files in the user's home.

yfinance keeps one state for the whole process (session, cookie, crumb, a cache of answers), so only
one thread at a time may use it.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import lru_cache
from time import time
from typing import Any
from urllib.parse import urlsplit

import yfinance as yf
from curl_cffi import requests as curl
from yfinance.data import YfData

from mela.errors import SourceRefused
from sources.limits import Limit
from sources.retry import ServiceBusy, retry_after_s
from sources.service import Service, service_of

_CHART = "/v8/finance/chart/"
_LOCK = threading.Lock()
_HOST = "https://query2.finance.yahoo.com"
_LIMIT = Limit(burst=60, per_s=2)  # Yahoo publishes no limit; it tolerates some thousand an hour
_LONGEST_S = 120.0


class YahooSession(curl.Session[curl.Response]):
    """The session that yfinance would create itself, with four additions.

    Each request takes a token from Yahoo's bucket. With a replay's URL, every request goes there
    and carries its original host in X-Orig-Host. A refused or unavailable chart raises here, before
    yfinance retries it or hides the reason. The time of the service's last chart is kept, because
    the service's clock decides which candles have closed.
    """

    def __init__(self, replay_url: str | None) -> None:
        super().__init__(impersonate="chrome")
        self._replay_url = replay_url.rstrip("/") if replay_url else None
        self.service_now_s = time()
        self.service = yahoo_service(replay_url)

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Send a request. Raises ServiceBusy or SourceRefused if it does not return a chart."""
        self.service.bucket.take(longest_s=_LONGEST_S)
        target_url = url
        if self._replay_url:
            parts = urlsplit(url)
            kwargs["headers"] = {**(kwargs.get("headers") or {}), "X-Orig-Host": parts.netloc}
            target_url = f"{self._replay_url}{parts.path or '/'}"
            target_url += f"?{parts.query}" if parts.query else ""
        response = super().request(method, target_url, *args, **kwargs)
        if _CHART in url:
            _check(response)
            self.service_now_s = _date_s(response.headers.get("Date"))
        return response


def yahoo_service(replay_url: str | None) -> Service:
    """Return the process's shared Yahoo service, with its bucket and its breaker."""
    return service_of("Yahoo", replay_url or _HOST, _LIMIT)


@contextmanager
def yahoo(replay_url: str | None) -> Generator[YahooSession]:
    """Lend the process's yfinance to one caller, connected to Yahoo or to a replay."""
    with _LOCK:
        session = _session(replay_url)
        session.service = yahoo_service(replay_url)
        hidden = yf.config.debug.hide_exceptions
        yf.config.debug.hide_exceptions = False
        data = YfData(session=session)
        data.cache_get.cache_clear()
        try:
            yield session
        finally:
            data.cache_get.cache_clear()
            yf.config.debug.hide_exceptions = hidden


@lru_cache(maxsize=8)
def _session(replay_url: str | None) -> YahooSession:
    yf.set_tz_cache_location(_folder())
    return YahooSession(replay_url)


@lru_cache(maxsize=1)
def _folder() -> str:
    folder = tempfile.mkdtemp(prefix="mela-yfinance-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _check(response: Any) -> None:
    status = int(response.status_code)
    wait_s = retry_after_s(response.headers.get("Retry-After"))
    # a 429 without a time may concern the cookie; yfinance then tries another way to get one
    if status >= 500 or (status == 429 and wait_s is not None):
        raise ServiceBusy(f"Yahoo answered {status}: {response.text[:120].strip()!r}.", wait_s)
    if status == 404:
        raise SourceRefused(f"Yahoo has no such symbol (404: {_reason(response)})")
    if status in (400, 422):
        raise SourceRefused(f"Yahoo answered {status}: {_reason(response)}")


def _reason(response: Any) -> str:
    try:
        return str(response.json()["chart"]["error"]["description"])
    except (ValueError, KeyError, TypeError):
        return str(response.text)[:200].strip()


def _date_s(header: str | None) -> float:
    try:
        return min(time(), parsedate_to_datetime(header or "").timestamp())
    except ValueError:
        return time()

"""ccxt exchanges whose every request obeys this package's limits, retries and errors."""

from __future__ import annotations

import re
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from functools import partial
from time import time
from typing import Any

import ccxt

from mela.errors import SourceRefused
from mela.instrument import VENUES
from sources.limits import Limit
from sources.retry import RetryPolicy, ServiceBusy, retry_after_s
from sources.service import Service, service_of

REPLAYED = "/ccxt/"  # the path, followed by the exchange's id, under which a replay answers
_HOST = re.compile(r"^https?://[^/]+")
_BURST = 10  # requests at once; ccxt's own throttle spaces them too
_KINDS = ("spot", "swap", "linear")  # ccxt's names of the market types we load
_PASSING = (408, 409, 418, 425, 429)  # the 4xx statuses that a retry may change
_NOT_NOW = (ccxt.DDoSProtection, ccxt.RateLimitExceeded, ccxt.OnMaintenance, ccxt.RequestTimeout)


class RetryingExchange:
    """A mixin before a ccxt exchange class: each HTTP request passes through Service.

    clock_ms: the exchange's clock at its last answer, UTC milliseconds
    """

    id: str
    mela_service: Service
    mela_patience: RetryPolicy
    clock_ms: int = 0
    _status: int = 0
    _headers: Any = None

    def fetch(
        self, url: str, method: str = "GET", headers: Any = None, body: Any = None
    ) -> dict[str, Any] | list[Any]:
        """Send one request of ccxt, and repeat it while the exchange is busy."""
        send = partial(super().fetch, url, method, headers, body)  # type: ignore[misc]
        return self.mela_service.ask(lambda: self._send_once(send), self.mela_patience)

    def on_rest_response(self, code: int, reason: str, url: str, method: str, *rest: Any) -> Any:
        """Keep the status, headers and time of an answer, which ccxt's errors do not carry."""
        self._status, self._headers = code, rest[0]
        self.clock_ms = _clock_ms(rest[0])
        return super().on_rest_response(code, reason, url, method, *rest)  # type: ignore[misc]

    def _send_once(self, send: Any) -> Any:
        self._status, self._headers = 0, None
        try:
            answer = send()
        except ccxt.BaseError as error:
            raise translate_error(error, self._status, self._headers) from error
        if isinstance(answer, str):  # ccxt would read an HTML page as an answer without candles
            raise ServiceBusy(f"{self.id} answered what is no JSON: {answer[:80].strip()!r}.")
        return answer


def exchange_of(
    venue: str, replay_url: str | None, patience: RetryPolicy, *, is_limited: bool = True
) -> Any:
    """Return ccxt's exchange for a venue, connected to its own hosts or to a replay.

    is_limited: let ccxt space its requests by the exchange's rateLimit
    Raises SourceRefused for an unknown venue, and for one without candles.
    """
    if venue not in ccxt.exchanges:
        near = get_close_matches(venue, [*VENUES, *ccxt.exchanges], n=3)
        suggestion = f"; did you mean {' or '.join(near)}?" if near else ""
        raise SourceRefused(
            f"no source has the venue {venue!r}: known are {', '.join(VENUES)} and the exchanges "
            f"of ccxt, as kraken{suggestion}"
        )
    exchange_class: type[Any] = type(venue, (RetryingExchange, getattr(ccxt, venue)), {})
    exchange = exchange_class({"enableRateLimit": is_limited, "timeout": patience.timeout_s * 1000})
    if not exchange.has.get("fetchOHLCV"):
        raise SourceRefused(f"ccxt has no candles of {venue}; another venue may list the same pair")
    listed = exchange.options.get("fetchMarkets")
    if isinstance(listed, dict) and isinstance(
        listed.get("types"), list
    ):  # skip thousands of options, which cannot be loaded
        listed["types"] = [kind for kind in listed["types"] if kind in _KINDS]
    if replay_url:
        base_url = f"{replay_url.rstrip('/')}{REPLAYED}{venue}"
        exchange.urls["api"] = _redirected(exchange.urls["api"], base_url)
    per_s = 1000 / max(float(exchange.rateLimit), 1.0) if is_limited else 1000.0
    exchange.mela_service = service_of(
        f"{venue} through ccxt", replay_url or f"https://{venue}", Limit(_BURST, per_s)
    )
    exchange.mela_patience = patience
    return exchange


def translate_error(error: ccxt.BaseError, status: int = 0, headers: Any = None) -> Exception:
    """Translate an error of ccxt: ServiceBusy if a retry may succeed, else SourceRefused.

    ccxt raises ExchangeNotAvailable for most 4xx statuses, even for those that no retry will
    change.
    """
    message = f"{type(error).__name__}: {str(error)[:300].strip()}"
    refuses = 400 <= status < 500 and not isinstance(error, _NOT_NOW)
    passes = status >= 500 or status in _PASSING  # whatever error ccxt derived from the body
    if passes or (isinstance(error, ccxt.NetworkError) and not refuses):
        why = f"answered {status}" if status else "could not be reached"
        wait_s = retry_after_s(headers.get("Retry-After")) if headers is not None else None
        return ServiceBusy(f"The exchange {why} ({message}).", wait_s)
    return SourceRefused(f"The exchange refused ({message}).")


def _redirected(urls: Any, base_url: str) -> Any:
    if isinstance(urls, dict):
        return {name: _redirected(url, base_url) for name, url in urls.items()}
    return _HOST.sub(base_url, urls) if isinstance(urls, str) else urls


def _clock_ms(headers: Any) -> int:
    """Return the server's time of an answer, less the age that a cache reports."""
    try:
        message = parsedate_to_datetime(str(headers.get("Date"))).timestamp()
        return int((min(time(), message) - float(headers.get("Age") or 0)) * 1000)
    except ValueError:
        return int(time() * 1000)

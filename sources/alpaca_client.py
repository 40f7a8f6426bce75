"""alpaca-py clients whose every page obeys this package's limits, retries and errors.

alpaca-py's own three retries, three seconds apart and blind to Retry-After, are not used. Answers
stay raw (`raw_data`), because its models reject a whole answer for a field that nobody needs.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, TypeVar

import requests

from mela.errors import SourceRefused
from mela.settings import AlpacaSettings
from sources.alpaca_library import (
    APIError,
    CorporateActionsClient,
    CryptoHistoricalDataClient,
    NewsClient,
    RESTClient,
    StockHistoricalDataClient,
    TradingClient,
)
from sources.limits import Limit
from sources.retry import RetryPolicy, ServiceBusy, retry_after_s
from sources.service import Service, service_of

HOST = "https://data.alpaca.markets"
TRADING, PAPER = "https://api.alpaca.markets", "https://paper-api.alpaca.markets"
LIMIT = Limit(burst=20, per_s=3.0)  # 200 requests a minute without a subscription
_NONE = Limit(burst=1000, per_s=1000)  # a replay on loopback needs no limit
_REPLAYED = "/alpaca"  # the path under which a replay answers as Alpaca
_NO_KEYS = "replay"  # sent to a replay if no keys are set, because it expects some
_FOUND = ("bars", "news", "corporate_actions")
C = TypeVar("C", bound=RESTClient)


class RetryingClient(RESTClient):
    """A mixin before an alpaca-py client class: each page request passes through Service.

    clock_s: the service's clock at its first answer. A candle that closed later may be incomplete
        in the pages that came before.
    """

    mela_service: Service
    mela_patience: RetryPolicy
    clock_s: float | None = None

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:  # noqa: ARG002
        return self.mela_service.ask(lambda: self._page(method, url, opts), self.mela_patience)

    def _page(self, method: str, url: str, opts: dict[str, Any]) -> Any:
        opts = {**opts, "timeout": self.mela_patience.timeout_s}
        try:
            body = super()._one_request(method, url, opts, retry=0)
            # `"bars": null` means nothing was found; alpaca-py's own paging fails on it
            return {
                name: {} if value is None and name in _FOUND else value
                for name, value in body.items()
            }
        except APIError as error:
            raise _translate_error(error) from error
        except (requests.RequestException, ValueError, AttributeError) as error:
            # no connection, no JSON, or JSON that is no object
            raise ServiceBusy(f"Alpaca could not be reached: {error}.") from error

    def keep_clock(self, response: requests.Response, **_: Any) -> None:
        """Store the service's clock from the first answer: a hook of the client's session."""
        if self.clock_s is None:
            self.clock_s = _date_s(response.headers.get("Date"))


def crypto_client(settings: AlpacaSettings, replay_url: str | None, patience: RetryPolicy) -> Any:
    """Return a client for crypto candles, which need no keys."""
    return _client(CryptoHistoricalDataClient, settings, replay_url, patience, needs_keys=False)


def stock_client(settings: AlpacaSettings, replay_url: str | None, patience: RetryPolicy) -> Any:
    """Return a client for stock candles. Raises SourceRefused if no keys are set."""
    return _client(StockHistoricalDataClient, settings, replay_url, patience)


def actions_client(settings: AlpacaSettings, replay_url: str | None, patience: RetryPolicy) -> Any:
    """Return a client for splits and dividends. Raises SourceRefused if no keys are set."""
    return _client(CorporateActionsClient, settings, replay_url, patience)


def news_client(settings: AlpacaSettings, replay_url: str | None, patience: RetryPolicy) -> Any:
    """Return a client for headlines. Raises SourceRefused if no keys are set."""
    return _client(NewsClient, settings, replay_url, patience)


def assets_client(settings: AlpacaSettings, replay_url: str | None, patience: RetryPolicy) -> Any:
    """Return a client for the assets that can be traded. Raises SourceRefused if no keys are set.

    Keys of paper accounts begin with PK, and only their own service takes them.
    """
    is_paper = settings.key.get_secret_value().startswith("PK")
    host = PAPER if is_paper else TRADING
    return _client(TradingClient, settings, replay_url, patience, host=host)


def address(replay_url: str | None, host: str = HOST) -> str:
    """Return the base address of a service, by default of the market data."""
    return f"{replay_url.rstrip('/')}{_REPLAYED}" if replay_url else host


def now_s(*clients: Any) -> float:
    """Return the service's clock at the earliest first answer of the clients."""
    clocks_s = [client.clock_s for client in clients if client.clock_s is not None]
    return min(clocks_s, default=time())


def instant(text: str) -> datetime:
    """Parse an RFC 3339 instant and truncate nanoseconds.

    >>> instant("2024-08-18T20:15:44.123456789Z").microsecond
    123456
    """
    return datetime.fromisoformat(text)


def _client(
    offered: type[C],
    settings: AlpacaSettings,
    replay_url: str | None,
    patience: RetryPolicy,
    *,
    needs_keys: bool = True,
    host: str = HOST,
) -> Any:
    key, secret = settings.key.get_secret_value(), settings.secret.get_secret_value()
    if bool(key) != bool(secret):
        raise SourceRefused("Alpaca needs both MELA_ALPACA__KEY and MELA_ALPACA__SECRET, or none")
    if not key and needs_keys:
        if not replay_url:
            raise SourceRefused(
                "Alpaca gives stocks and news to those who have keys (free ones will do): set "
                "MELA_ALPACA__KEY and MELA_ALPACA__SECRET. Its crypto candles need none."
            )
        key = secret = _NO_KEYS
    client_class: type[Any] = type(offered.__name__, (RetryingClient, offered), {})
    url = address(replay_url, host)
    client = client_class(
        api_key=key or None, secret_key=secret or None, raw_data=True, url_override=url
    )
    client.mela_service = service_of("Alpaca", url, _NONE if replay_url else LIMIT)
    client.mela_patience = patience
    client._session.hooks["response"].append(client.keep_clock)
    return client


def _translate_error(error: APIError) -> Exception:
    status = int(error.status_code or 0)
    message = f"Alpaca answered {status}: {str(error)[:300].strip()}."
    if status == 429 or status >= 500:
        headers = error.response.headers if error.response is not None else {}
        return ServiceBusy(message, retry_after_s(headers.get("Retry-After")))
    if "SIP data" in str(error):
        return SourceRefused(f"{message} Ask for the feed iex, or end the span 15 minutes ago.")
    if status in (401, 403):
        return SourceRefused(f"{message} Look at MELA_ALPACA__KEY and MELA_ALPACA__SECRET.")
    return SourceRefused(message)


def _date_s(header: str | None) -> float:
    try:
        return min(time(), parsedate_to_datetime(header or "").timestamp())
    except ValueError:
        return time()

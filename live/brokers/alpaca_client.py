"""alpaca-py's trading client, one request at a time, each with a time limit and a plain outcome.

alpaca-py repeats a request that got 429 or 504 by itself, three times, whatever it asked for, and
has no time limits. Neither is used: a request is sent once, and every way it can end has one name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, TypeVar

import requests
import structlog
from requests.exceptions import ConnectionError as NotConnected
from requests.exceptions import ConnectTimeout
from urllib3.exceptions import MaxRetryError, NewConnectionError

from live.alpaca_library import APIError, TradingClient
from live.brokers.protocol import BrokerBusy, BrokerRefused, IdUsed, Unanswered
from sources.retry import retry_after_s

T = TypeVar("T")
CONNECT_S, ANSWER_S = 5.0, 10.0
_THREADS = 4  # a request that hangs must not stand in the way of a cancellation
_USED_ID = 40010001
_DEFAULT_WAIT_S = 1.0
log = structlog.get_logger()


class OnceClient(TradingClient):
    """A client that sends each request once. answer_s: the time limit of an answer."""

    answer_s = ANSWER_S

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:  # noqa: ARG002
        opts = {**opts, "timeout": (min(CONNECT_S, self.answer_s), self.answer_s)}
        try:
            return super()._one_request(method, url, opts, retry=0)
        except APIError as error:
            raise _refused(error, changes=method != "GET") from error
        except (requests.RequestException, ValueError) as error:
            # no connection, no answer in time, or an answer that is no JSON
            raise _unanswered(error, changes=method != "GET") from error


class Client:
    """Requests to Alpaca from a loop, each in a thread, none before Alpaca wants the next one."""

    def __init__(self, key: str, secret: str, url: str, answer_s: float = ANSWER_S) -> None:
        self._made = (key, secret, url, answer_s)
        self._own = threading.local()
        self._threads = ThreadPoolExecutor(_THREADS, "alpaca")
        self._not_before_s = 0.0

    def ask(self, call: Callable[[OnceClient], T]) -> T:
        """Return what a call of the client returns, here and now.

        Raises Unanswered, BrokerBusy, BrokerRefused or IdUsed; BrokerBusy without asking, while
        Alpaca said to wait.
        """
        wait_s = self._not_before_s - monotonic()
        if wait_s > 0:
            raise BrokerBusy(f"Alpaca asked to wait for {wait_s:.1f} s more", wait_s)
        try:
            return call(self._client())
        except BrokerBusy as busy:
            if busy.retry_after_s is not None:
                self._not_before_s = max(self._not_before_s, monotonic() + busy.retry_after_s)
            raise

    async def asked(self, call: Callable[[OnceClient], T]) -> T:
        """Return what a call of the client returns, from a thread."""
        import asyncio

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.ask, call)

    def close(self) -> None:
        """Send no more requests."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _client(self) -> OnceClient:
        """Return the thread's own client: a session of requests is not for several threads."""
        client: OnceClient | None = getattr(self._own, "client", None)
        if client is None:
            key, secret, url, answer_s = self._made
            client = OnceClient(key, secret, raw_data=True, url_override=url)
            client.answer_s = answer_s
            self._own.client = client
        return client


def _unanswered(error: Exception, *, changes: bool) -> Exception:
    words = f"Alpaca did not answer: {error}"
    if not changes or _never_left(error):
        return BrokerBusy(words)
    return Unanswered(words)


def _never_left(error: Exception) -> bool:
    """Tell whether no connection stood, so that Alpaca cannot have seen the request."""
    if isinstance(error, ConnectTimeout):
        return True
    reason = error.args[0] if isinstance(error, NotConnected) and error.args else None
    return isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError)


def _refused(error: APIError, *, changes: bool) -> Exception:
    status = int(error.status_code or 0)
    code, words = _code_of(error)
    said = f"Alpaca answered {status}: {words}"
    if status == 429:
        headers: Any = error.response.headers if error.response is not None else {}
        wait_s = retry_after_s(headers.get("Retry-After"))
        return BrokerBusy(said, _DEFAULT_WAIT_S if wait_s is None else wait_s)
    if status >= 500:  # it may have done what was asked before it failed
        return Unanswered(said) if changes else BrokerBusy(said)
    if code == _USED_ID and "client_order_id" in words.replace(" ", "_"):
        return IdUsed(said, code, status)
    return BrokerRefused(said, code, status)


def _code_of(error: APIError) -> tuple[int, str]:
    try:
        return int(error.code), str(error.message)
    except (ValueError, KeyError, TypeError):  # not all bodies have a code, nor are all JSON
        return 0, str(error)[:300].strip()

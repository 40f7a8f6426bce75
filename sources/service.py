"""The single way to call a service: rate-limited, with retries, and guarded by a circuit breaker.

The process treats one host as one service: all threads and all sources that call it share its token
bucket and its breaker. Other processes are invisible here, but if the service reports its usage, as
Binance does, they are taken into account.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from mela.errors import SourceUnavailable
from sources.breaker import Breaker
from sources.limits import Bucket, Limit
from sources.retry import RetryPolicy, ServiceBusy, call_with_retries

T = TypeVar("T")
_SERVICES: dict[tuple[str, str], Service] = {}
_LOCK = threading.Lock()


class Service:
    """A host with its rate limit and its breaker."""

    def __init__(self, name: str, limit: Limit, breaker: Breaker | None = None) -> None:
        self.name = name
        self.bucket = Bucket(limit)
        self.breaker = breaker or Breaker(name)

    def ask(self, call: Callable[[], T], patience: RetryPolicy, *, tokens: float = 1.0) -> T:
        """Return what `call` returns, and call it again while it raises ServiceBusy.

        call: raises ServiceBusy, with the Retry-After header if there was one, if the service did
            not answer, and SourceRefused if it refused. Any other error passes through at once.
        tokens: the cost of each attempt against the rate limit
        Raises SourceUnavailable when the retries are used up or the breaker is open. It carries
        `retry_after_s` if a wait is known to help.
        """
        return call_with_retries(lambda: self._once(call, patience, tokens), patience)

    def _once(self, call: Callable[[], T], patience: RetryPolicy, tokens: float) -> T:
        self.breaker.check()
        try:
            self.bucket.take(tokens, patience.total_s)
            answer = call()
        except ServiceBusy as error:
            if error.retry_after_s is None:
                self.breaker.record_failure(str(error))
            else:  # it answered, and said when to come back
                self.breaker.record_success()
                self.bucket.pause(error.retry_after_s)
            raise
        except SourceUnavailable:
            self.breaker.record_nothing()
            raise
        except Exception:  # a refusal is an answer
            self.breaker.record_success()
            raise
        except BaseException:
            self.breaker.record_nothing()
            raise
        self.breaker.record_success()
        return answer


def service_of(name: str, url: str, limit: Limit) -> Service:
    """Return the process's shared service of this name at a URL's host.

    limit: applies at the first call for a host; later calls share the existing service
    """
    key = (name, urlsplit(url).netloc)
    with _LOCK:
        if key not in _SERVICES:
            _SERVICES[key] = Service(name, limit)
        return _SERVICES[key]


def forget_services() -> None:
    """Forget all buckets and breakers, as a new process would. For tests."""
    with _LOCK:
        _SERVICES.clear()

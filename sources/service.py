"""One way to ask any service: within its limits, again when it is busy, not while it is down.

A service is one host to the whole process: its bucket and its breaker are shared by all threads and
all sources that ask it. Other processes are not known here; where a service tells what is used
(Binance does), they are heeded all the same.
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
    """A host that answers, with its limit and its breaker."""

    def __init__(self, name: str, limit: Limit, breaker: Breaker | None = None) -> None:
        self.name = name
        self.bucket = Bucket(limit)
        self.breaker = breaker or Breaker(name)

    def ask(self, call: Callable[[], T], patience: RetryPolicy, *, tokens: float = 1.0) -> T:
        """Return what `call` returns, asking again while it raises ServiceBusy.

        call: raises ServiceBusy, with the Retry-After header if there was one, if the service did
            not answer, and SourceRefused if it refused. Any other error passes through at once.
        tokens: what each attempt costs of the service's limit
        Raises SourceUnavailable when patience ends or the breaker is open; it carries
        `retry_after_s` where a wait is known to help.
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
            else:  # it is there, and said when
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
    """Return the process's one service of this name at a URL's host.

    limit: counts at the first call for a host; later ones share what is there
    """
    key = (name, urlsplit(url).netloc)
    with _LOCK:
        if key not in _SERVICES:
            _SERVICES[key] = Service(name, limit)
        return _SERVICES[key]


def forget_services() -> None:
    """Forget every bucket and breaker, as a new process would: for tests."""
    with _LOCK:
        _SERVICES.clear()

"""Retry a busy service: backoff with jitter, Retry-After, bounded attempts and time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import TypeVar

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from mela.errors import SourceUnavailable

T = TypeVar("T")
log = structlog.get_logger()


class ServiceBusy(SourceUnavailable):
    """The service did not answer this request. `retry_after_s`: the wait that it asked for."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The attempts and the total time of one request before giving up.

    timeout_s: the timeout of a single answer
    """

    attempts: int = 5
    first_s: float = 1.0
    longest_s: float = 30.0
    total_s: float = 120.0
    timeout_s: float = 15.0


def call_with_retries(ask: Callable[[], T], patience: RetryPolicy) -> T:
    """Return what `ask` returns, and call it again while it raises ServiceBusy.

    Raises SourceUnavailable when attempts or time are used up, and immediately if the service asks
    for a longer wait than the time that remains. Other errors pass through.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(ServiceBusy),
        stop=lambda state: _is_hopeless(state, patience),
        wait=lambda state: _wait_s(state, patience),
        before_sleep=_say,
        reraise=True,
    )
    try:
        return retrying(ask)
    except ServiceBusy as error:
        tries = int(retrying.statistics.get("attempt_number", 1))
        message = f"{error} Gave up after {tries} attempts; try later."
        raise SourceUnavailable(message, error.retry_after_s) from error


def retry_after_s(value: str | None) -> float | None:
    """Parse a Retry-After header, seconds or an HTTP date, as seconds from now; None if unreadable.

    >>> retry_after_s("7"), retry_after_s(None), retry_after_s("soon")
    (7.0, None, None)
    """
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time())
        except ValueError:
            return None


def _wait_s(state: RetryCallState, patience: RetryPolicy) -> float:
    jittered = wait_random_exponential(multiplier=patience.first_s, max=patience.longest_s)(state)
    error = state.outcome.exception() if state.outcome else None
    requested_s = error.retry_after_s if isinstance(error, ServiceBusy) else None
    return jittered if requested_s is None else requested_s + min(jittered, patience.first_s)


def _is_hopeless(state: RetryCallState, patience: RetryPolicy) -> bool:
    error = state.outcome.exception() if state.outcome else None
    requested_s = (error.retry_after_s or 0.0) if isinstance(error, ServiceBusy) else 0.0
    spent = (state.seconds_since_start or 0.0) + requested_s
    return stop_after_attempt(patience.attempts)(state) or spent > patience.total_s


def _say(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait_s = round(state.next_action.sleep, 2) if state.next_action else 0.0
    log.warning("source_busy", reason=str(error), attempt=state.attempt_number, retry_in_s=wait_s)

"""The receivers of alerts: apprise's services, and the webhook of the settings.

Addresses carry tokens, so they are never logged or stored: a receiver is known by a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import apprise
import httpx
import requests

from mela.settings import Settings
from mela.settings.alerts import Level
from sources.retry import retry_after_s

TIMEOUT_S = 10.0
MOST_WAIT_S = 86_400.0  # what a receiver may ask for, at most
TOO_MANY = 429
_KINDS = {
    "info": apprise.NotifyType.INFO,
    "warning": apprise.NotifyType.WARNING,
    "error": apprise.NotifyType.FAILURE,
    "critical": apprise.NotifyType.FAILURE,
}


@dataclass(frozen=True, slots=True)
class Message:
    """The message that a receiver gets."""

    level: Level
    key: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The delivery of a message. error: None if it was taken; retry_after_s: what it asked for."""

    error: str | None = None
    retry_after_s: float | None = None


class Receiver(Protocol):
    """Somebody who is told. name: a hash of the address; service: what kind it is."""

    name: str
    service: str

    def send(self, message: Message) -> Answer:
        """Deliver a message; never raise for a receiver that does not take it."""
        ...


def receivers_of(settings: Settings) -> list[Receiver]:
    """Return the receivers of the settings. An address that apprise cannot read never answers."""
    found: list[Receiver] = [_Apprise(one.get_secret_value()) for one in settings.alerts.receivers]
    if settings.alert_webhook is not None:
        found.append(_Webhook(settings.alert_webhook.get_secret_value()))
    return found


class _Webhook:
    """The POST that other alerts of Mela use, see `services.alerts.webhook`."""

    service = "webhook"

    def __init__(self, url: str) -> None:
        self.name = _hash(url)
        self._url = url

    def send(self, message: Message) -> Answer:
        text = f"{message.title}\n{message.body}" if message.body else message.title
        about = {"event": "alert", "level": message.level, "key": message.key, "text": text}
        try:
            answer = httpx.post(self._url, json=about, timeout=TIMEOUT_S)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer(type(error).__name__)
        if answer.is_success:
            return Answer()
        return _refused(answer.status_code, answer.headers.get("Retry-After"), answer.content)


class _Apprise:
    def __init__(self, url: str) -> None:
        self.name = _hash(url)
        self.service = url.partition("://")[0][:20]
        self._url = url

    def send(self, message: Message) -> Answer:
        receiver = _instance(self._url)
        if receiver is None:
            return Answer("apprise does not know this address; see its list of services")
        with _listening() as heard:
            is_taken = receiver.notify(
                body=message.body or message.title,
                title=message.title if message.body else "",
                notify_type=_KINDS[message.level],
            )
        if is_taken:
            return Answer()
        if heard:
            last = heard[-1]
            return _refused(last.status_code, last.headers.get("Retry-After"), last.content)
        return Answer("it did not answer")


@cache
def _instance(url: str) -> Any:
    return apprise.Apprise.instantiate(url, suppress_exceptions=True)


def _hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:12]


def _refused(status: int, header: str | None, content: bytes) -> Answer:
    asked_s = None
    if status == TOO_MANY:
        asked_s = retry_after_s(header)
        if asked_s is None:
            asked_s = _seconds_in(content)
    return Answer(f"HTTP {status}", None if asked_s is None else _bounded(asked_s))


def _seconds_in(content: bytes) -> float | None:
    """Return what an answer's JSON asks for, as Telegram and Discord say it."""
    try:
        document = httpx.Response(200, content=content[:65_536]).json()
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    for part in (document, document.get("parameters")):
        if isinstance(part, dict) and isinstance(part.get("retry_after"), int | float):
            return float(part["retry_after"])
    return None


def _bounded(seconds: float) -> float | None:
    return None if seconds != seconds else min(max(seconds, 0.0), MOST_WAIT_S)


# apprise says only whether a message was taken, not what the service answered. Its services ask
# through `requests`, so the answers of this thread are heard there while a message is on its way.
_HEARD: ContextVar[list[requests.Response] | None] = ContextVar("heard", default=None)


@contextmanager
def _listening() -> Generator[list[requests.Response]]:
    _install()
    heard: list[requests.Response] = []
    token = _HEARD.set(heard)
    try:
        yield heard
    finally:
        _HEARD.reset(token)


@cache
def _install() -> None:
    send = requests.Session.send

    def listened(self: requests.Session, *words: Any, **options: Any) -> requests.Response:
        answer = send(self, *words, **options)
        heard = _HEARD.get()
        if heard is not None:
            heard.append(answer)
        return answer

    requests.Session.send = listened

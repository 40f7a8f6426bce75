"""HTTP requests and answers, and how to write an answer as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

Query = Mapping[str, str]
DERIVATION = "X-Mela-Replay"  # how a replay made its candles; no real service sends it


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request: header names in lower case, the last value of a repeated query name."""

    path: str
    query: Query
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    method: str = "GET"
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers and a body."""

    status: int
    body: bytes
    content_type: str = "application/json;charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Api(Protocol):
    """A service that the replay imitates."""

    def answer(self, request: Request) -> Answer | None:
        """Return the answer; None if the service has no such path, so the next one is asked."""
        ...


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Return a JSON answer."""
    return Answer(status, orjson.dumps(value), headers=headers or {})


def as_text(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Return a plain text answer."""
    return Answer(status, text.encode(), "text/plain;charset=utf-8", headers or {})

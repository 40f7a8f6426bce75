"""One HTTP answer, and how to say it in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers and a body."""

    status: int
    body: bytes
    content_type: str = "application/json;charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict[str, str])


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Return a JSON answer."""
    return Answer(status, orjson.dumps(value), headers=headers or {})


def as_text(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Return a plain text answer."""
    return Answer(status, text.encode(), "text/plain;charset=utf-8", headers or {})

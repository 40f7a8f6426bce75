"""Answers that a client has already: ETag and If-None-Match."""

from __future__ import annotations

import hashlib
from typing import TypeVar

from fastapi import Request, Response

T = TypeVar("T")


def etag_of(*parts: object) -> str:
    """Return a weak tag of what an answer depends on."""
    return f'W/"{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}"'


def unchanged(request: Request, tag: str) -> Response | None:
    """Return a 304 if the client has this answer; None if it must be sent."""
    sent = request.headers.get("If-None-Match", "")
    if tag in (one.strip() for one in sent.split(",")):
        return Response(status_code=304, headers=_headers(tag))
    return None


def with_etag(response: Response, tag: str, answer: T) -> T:
    """Return the answer, its response tagged."""
    response.headers.update(_headers(tag))
    return answer


def _headers(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": "private, no-cache"}

"""Call a service of this stack over loopback HTTP, bypassing any proxy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from mela.errors import StackFailed

_TIMEOUT_S = 10
_direct = build_opener(ProxyHandler({}))


def get(url: str) -> bytes:
    """Return the body of a successful answer. Raises StackFailed, in one phrase, for any other."""
    return _ask(Request(url))  # noqa: S310 - an address of our own


def ask(method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """Return the JSON of a successful answer to a request, with or without a JSON body.

    Raises StackFailed, in one phrase, for any other answer.
    """
    content = None if body is None else json.dumps(body).encode()
    spoken = {"Content-Type": "application/json", **(headers or {})}
    request = Request(url, data=content, headers=spoken, method=method)  # noqa: S310
    return json.loads(_ask(request) or "null")


def _ask(request: Request) -> bytes:
    try:
        with _direct.open(request, timeout=_TIMEOUT_S) as answer:
            return answer.read()
    except (OSError, HTTPException) as error:
        raise StackFailed(f"no answer from {request.full_url}: {error}") from error

"""Call a service of this stack over loopback HTTP, bypassing any proxy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from mela.errors import StackFailed

_PROBE_S = 10
_ANSWER_S = 60  # a service that has just started on a busy machine answers slowly
_BROKEN = 500
_direct = build_opener(ProxyHandler({}))


class NoAnswer(StackFailed):
    """Say that a service did not answer, or could not just now: asking again may help."""


def get(url: str) -> bytes:
    """Return the body of a successful answer. Raises StackFailed, in one phrase, for any other."""
    return _ask(Request(url), _PROBE_S)  # noqa: S310 - an address of our own


def ask(method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """Return the JSON of a successful answer to a request, with or without a JSON body.

    Raises StackFailed, in one phrase, for any other answer, and NoAnswer for none.
    """
    content = None if body is None else json.dumps(body).encode()
    all_headers = {"Content-Type": "application/json", **(headers or {})}
    request = Request(url, data=content, headers=all_headers, method=method)  # noqa: S310
    return json.loads(_ask(request, _ANSWER_S) or "null")


def _ask(request: Request, timeout_s: float) -> bytes:
    try:
        with _direct.open(request, timeout=timeout_s) as answer:
            return answer.read()
    except HTTPError as error:
        with error:
            kind = NoAnswer if error.code >= _BROKEN else StackFailed
            raise kind(f"{request.full_url} answered {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise NoAnswer(f"no answer from {request.full_url}: {error}") from error

"""Ask a service of this stack over loopback HTTP, past any proxy."""

from __future__ import annotations

from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

from mela.errors import StackFailed

_TIMEOUT_S = 10
_direct = build_opener(ProxyHandler({}))


def get(url: str) -> bytes:
    """Return the body of a successful answer. Raises StackFailed, in one phrase, for any other."""
    try:
        with _direct.open(url, timeout=_TIMEOUT_S) as answer:
            return answer.read()
    except (OSError, HTTPException) as error:
        raise StackFailed(f"no answer from {url}: {error}") from error

"""The surroundings of each request: allowed hosts, its largest size, the headers of answers.

As ASGI, not as functions of a request: a stream of events passes through unbuffered.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from mela.settings import Settings

LARGEST_BODY = 1_048_576  # bytes: a scene is refused above that too
LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")
_SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
OF_API = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_YEAR_S = 31_536_000


def hosts_of(settings: Settings) -> frozenset[str]:
    """Return the names by which the application may be asked for.

    Another name in `Host` is a page elsewhere whose name was turned to this address.
    """
    urls = (settings.api.url, settings.api.public_url or settings.api.url)
    names = {urlsplit(url).hostname or "" for url in urls}
    return frozenset({*names, *LOCAL_NAMES})


class Surroundings:
    """Refuses what no route should see, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Wrap an application."""
        self._app = app
        self._hosts = hosts_of(settings)
        self._is_https = settings.api.is_https
        self._origin = settings.api.origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(MutableHeaders(scope=message))
            await send(message)

        refused = self._refused(scope, headers)
        if refused is not None:
            status, code, sentence = refused
            answer = problems.answer(status, sentence, code=code, instance=scope["path"])
            await answer(scope, receive, dressed)
            return
        await self._app(scope, _limited(receive, headers), dressed)

    def _refused(self, scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
        """Return why a request is refused: status, code, sentence."""
        host = _name_of(headers.get("Host", ""))
        if host not in self._hosts:
            return 400, "unknown_host", "expected this application's own name in Host."
        if _length(headers) > LARGEST_BODY:
            return 413, "too_large", f"expected a body of at most {LARGEST_BODY} bytes."
        if scope["method"] not in _SAFE and self._is_foreign(headers):
            return 403, "foreign_origin", "a page of another site may not change anything here."
        return None

    def _is_foreign(self, headers: Headers) -> bool:
        if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return True
        origin = headers.get("Origin")
        if origin is None or origin == self._origin:
            return False
        parts = urlsplit(origin)
        own = parts.scheme == "http" and parts.netloc == headers.get("Host")
        return self._is_https or not own

    def _dress(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Content-Security-Policy", OF_API)
        headers.setdefault("Cache-Control", "no-store")
        if self._is_https:
            headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR_S}")


def _limited(receive: Receive, headers: Headers) -> Receive:
    """Return a reader of the body that ends one whose length was not told, or told wrong."""
    if "Content-Length" in headers and "Transfer-Encoding" not in headers:
        return receive
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > LARGEST_BODY:
            raise HTTPException(413, f"expected a body of at most {LARGEST_BODY} bytes.")
        return message

    return counted


def _length(headers: Headers) -> int:
    text = headers.get("Content-Length", "0")
    return int(text) if text.isascii() and text.isdigit() else LARGEST_BODY + 1


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that hold no address
        return ""

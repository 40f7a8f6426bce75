"""Every change through the application, and every one refused, becomes a line of the audit log."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mela.settings import Settings
from services.accounts import audit

_SAFE = ("GET", "HEAD", "OPTIONS")
_REFUSED = (401, 403)
SIGN_IN = "sign_in"  # whose failures are noted although nobody is known
# Reads that have a body, and what follows a stream: they change nothing.
UNNOTED = frozenset({"validate_scene", "parse_scene", "watch_events", "validate_trading_session"})


class Audited:
    """Notes a change before its answer leaves: who, what, when, from where, whether it was done.

    The subject is the route's path parameters, or what the route put into
    `request.state.audit_subject`; `request.state.audit_detail` may hold more.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Wrap an application."""
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["method"] in _SAFE:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry = entry_of(scope, message["status"])
                if entry is not None:
                    await run_in_threadpool(audit.note, self._settings, **entry)
            await send(message)

        await self._app(scope, receive, noted)


def entry_of(scope: Scope, status: int) -> dict[str, Any] | None:
    """Return what is noted of a request that was answered; None for nothing."""
    route = scope.get("route")
    state = scope["state"]
    caller = state.get("caller")
    action = getattr(route, "name", None)
    is_refused = status in _REFUSED
    if action is None or action in UNNOTED or not (is_refused or status < 400):
        return None
    if caller is None and is_refused and action != SIGN_IN:
        return None  # anybody could fill the log
    subject = state.get("audit_subject")
    if subject is None:
        subject = " ".join(str(value) for value in scope.get("path_params", {}).values()) or None
    client = scope.get("client")
    return {
        "user": caller.user if caller else None,
        "via": caller.via if caller else "nobody",
        "action": action,
        "outcome": "refused" if is_refused else "done",
        "subject": subject,
        "address": client[0] if client else None,
        "detail": state.get("audit_detail"),
    }

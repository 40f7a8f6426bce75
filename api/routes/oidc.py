"""Sign in at an identity provider, where one is set."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from api.caller import address_of
from api.context import AppSettings
from api.routes.session import set_cookie
from mela.errors import (
    Conflict,
    MelaError,
    NotAllowed,
    NotSignedIn,
    SourceUnavailable,
    TooManyAttempts,
)
from services.accounts import audit, oidc

LOG = structlog.get_logger(__name__)
COOKIE = "mela_oidc"
router = APIRouter(tags=["session"])
_FOUND = 303
_WHY: tuple[tuple[type[MelaError], str], ...] = (
    (NotAllowed, "no_account"),
    (Conflict, "no_name"),
    (SourceUnavailable, "unavailable"),
    (NotSignedIn, "refused"),
)


@router.get("/oidc/login", status_code=_FOUND, response_class=RedirectResponse)
def begin_oidc(
    request: Request, settings: AppSettings, next: Annotated[str, Query(max_length=2_000)] = "/"
) -> RedirectResponse:
    """Send the browser to the identity provider. next: the path to come back to."""
    begun = oidc.start(settings, next, address=address_of(request))
    answer = RedirectResponse(begun.url, _FOUND)
    answer.set_cookie(
        _cookie(settings.api.is_https),
        begun.state,
        max_age=int(oidc.LASTS.total_seconds()),
        path="/",
        secure=settings.api.is_https,
        httponly=True,
        samesite="lax",  # the provider's page leads back here
    )
    return answer


@router.get("/oidc/callback", status_code=_FOUND, response_class=RedirectResponse)
def end_oidc(
    request: Request,
    settings: AppSettings,
    state: Annotated[str, Query(max_length=200)],
    code: Annotated[str | None, Query(max_length=4_000)] = None,
    iss: Annotated[str | None, Query(max_length=500)] = None,
) -> RedirectResponse:
    """End a sign-in. A page, not a program, asks for this: what is wrong leads to /sign-in."""
    cookie, address = _cookie(settings.api.is_https), address_of(request)
    try:
        if code is None:
            raise NotSignedIn("the provider refused.")
        found, return_to = oidc.finish(
            settings,
            state=state,
            cookie_state=request.cookies.get(cookie),
            code=code,
            issuer=iss,
            address=address,
            agent=request.headers.get("User-Agent"),
        )
    except MelaError as error:
        LOG.warning("oidc_refused", why=str(error))
        why = next((word for kind, word in _WHY if isinstance(error, kind)), "refused")
        if not isinstance(error, TooManyAttempts):  # anybody could fill the log
            oidc.note_refusal(settings, address)
            audit.note(
                settings,
                user=None,
                via="nobody",
                action="end_oidc",
                outcome="refused",
                address=address,
                detail={"why": why},
            )
        answer = RedirectResponse(f"/sign-in?oidc={why}", _FOUND)
    else:
        caller = found.caller
        audit.note(settings, user=caller.user, via="nobody", action="end_oidc", address=address)
        answer = RedirectResponse(return_to, _FOUND)
        set_cookie(answer, found.token, settings)
    answer.delete_cookie(cookie, path="/", secure=settings.api.is_https, httponly=True)
    return answer


def _cookie(is_https: bool) -> str:
    return f"__Host-{COOKIE}" if is_https else COOKIE

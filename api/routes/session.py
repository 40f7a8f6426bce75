"""Sign in, sign out, and one's own sessions."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.caller import InPerson, SignedIn, address_of, cookie_name, session_token
from api.context import AppSettings
from api.models.accounts import Me, PasswordChange, QuotaState, SessionRow, Sessions, SignIn
from mela.settings import Settings
from services.accounts import accounts, quotas, sessions
from services.accounts.accounts import Caller

BROWSER = "mela_browser"  # the cookie of a browser that signed in before
BROWSER_S = 400 * 86_400  # as long as browsers keep one
router = APIRouter(tags=["session"])


@router.post("/session")
def sign_in(body: SignIn, request: Request, response: Response, settings: AppSettings) -> Me:
    """Sign in with a password. The answer sets the session's cookie."""
    found = sessions.sign_in(
        settings,
        body.user,
        body.password.get_secret_value(),
        address=address_of(request),
        agent=request.headers.get("User-Agent"),
        browser=request.cookies.get(_browser_cookie(settings)),
    )
    request.state.caller = found.caller
    set_cookie(response, found.token, settings)
    remember(request, response, found.caller, settings)
    return me(found.caller, settings, found.token)


@router.get("/session")
def get_session(request: Request, caller: SignedIn, settings: AppSettings) -> Me:
    """Return who asks."""
    return me(caller, settings, session_token(request))


@router.delete("/session", status_code=204)
def sign_out(response: Response, caller: InPerson, settings: AppSettings) -> None:
    """End this session."""
    sessions.sign_out(settings, caller)
    drop_cookie(response, settings)


@router.get("/sessions")
def list_sessions(caller: InPerson, settings: AppSettings) -> Sessions:
    """Return one's own sessions."""
    rows = sessions.every(settings, caller)
    return Sessions(items=[SessionRow.model_validate(row, from_attributes=True) for row in rows])


@router.delete("/sessions", status_code=204)
def sign_out_everywhere(response: Response, caller: InPerson, settings: AppSettings) -> None:
    """End all of one's own sessions, this one too."""
    sessions.sign_out_everywhere(settings, caller)
    drop_cookie(response, settings)


@router.delete("/sessions/{session_id}", status_code=204)
def end_session(session_id: int, caller: InPerson, settings: AppSettings) -> None:
    """End one of one's own sessions."""
    sessions.end(settings, caller, session_id)


@router.post("/password", status_code=204)
def change_password(body: PasswordChange, caller: InPerson, settings: AppSettings) -> None:
    """Change one's own password. All other sessions and all tokens end."""
    current, new = body.current.get_secret_value(), body.new.get_secret_value()
    accounts.change_password(settings, caller, current, new)


def me(caller: Caller, settings: Settings, token: str | None) -> Me:
    """Return what a page has to know of who asks."""
    state = quotas.state(settings, caller.user_id)
    quota = QuotaState.model_validate(state, from_attributes=True)
    is_session = caller.via == "session" and token is not None
    return Me(
        user=caller.user,
        role=caller.role,
        scopes=sorted(caller.scopes),
        csrf_token=sessions.csrf_token(token) if is_session and token else None,
        must_change_password=caller.must_change_password,
        via=caller.via,
        quota=quota,
    )


def set_cookie(response: Response, token: str, settings: Settings) -> None:
    """Hand a browser its session's token: for this host only, and not for scripts."""
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=int(settings.api.session_days * 86_400),
        path="/",
        secure=settings.api.is_https,
        httponly=True,
        samesite="strict",
    )


def remember(request: Request, response: Response, caller: Caller, settings: Settings) -> None:
    """Let a browser keep by what its user is known at the next sign-in, when others guess there.

    It opens nothing: without the password it is worth nothing.
    """
    name = _browser_cookie(settings)
    response.set_cookie(
        name,
        sessions.remember(settings, caller, request.cookies.get(name)),
        max_age=BROWSER_S,
        path="/",
        secure=settings.api.is_https,
        httponly=True,
        samesite="strict",
    )


def _browser_cookie(settings: Settings) -> str:
    return f"__Host-{BROWSER}" if settings.api.is_https else BROWSER


def drop_cookie(response: Response, settings: Settings) -> None:
    """Let a browser forget its session, and what it stored."""
    response.delete_cookie(
        cookie_name(settings),
        path="/",
        secure=settings.api.is_https,
        httponly=True,
        samesite="strict",
    )
    response.headers["Clear-Site-Data"] = '"cache", "storage"'

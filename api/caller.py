"""Find the caller and check the rights: routes take `Reader`, `Trader`, `Admin` or `InPerson`."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from api.context import AppSettings, settings_of
from mela.errors import NotAllowed, NotSignedIn
from mela.settings import Settings
from services.accounts import sessions
from services.accounts.accounts import NEEDED, Caller, Scope

COOKIE = "mela_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF = "X-CSRF-Token"
_BEARER = HTTPBearer(auto_error=False, description="a personal token: mela_…")
_SESSION = APIKeyCookie(name=COOKIE, auto_error=False, description="set by POST /session")
NOBODY = "sign in, or send a personal token."


def cookie_name(settings: Settings) -> str:
    """Return the name of the session's cookie: with `__Host-` where browsers use https."""
    return f"__Host-{COOKIE}" if settings.api.is_https else COOKIE


def address_of(request: Request) -> str:
    """Return the address from which somebody asks; the server has applied the proxies' headers."""
    return request.client.host if request.client else "unknown"


def session_token(request: Request) -> str | None:
    """Return the token in the session's cookie."""
    return request.cookies.get(cookie_name(settings_of(request)))


def caller_of(
    request: Request,
    settings: AppSettings,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    _: Annotated[str | None, Depends(_SESSION)],
) -> Caller:
    """Return who asks. Raises NotSignedIn, and NotAllowed for a change without the CSRF token."""
    if bearer is not None:
        found = sessions.caller_of_token(settings, bearer.credentials)
        if found is None:
            raise NotSignedIn("this token is unknown, or has ended.")
        request.state.caller = found
        return found
    token = session_token(request)
    found = sessions.caller_of_session(settings, token) if token else None
    if found is None or token is None:
        raise NotSignedIn(NOBODY)
    request.state.caller = found
    if request.method not in SAFE:
        sent = request.headers.get(CSRF, "")
        if not hmac.compare_digest(sent.encode(), sessions.csrf_token(token).encode()):
            raise NotAllowed(
                f"expected the header {CSRF} with the csrf_token of GET /session.", "csrf"
            )
    return found


SignedIn = Annotated[Caller, Depends(caller_of)]  # whoever it is, a password to be changed included


def allowed(scope: Scope) -> Callable[[Caller], Caller]:
    """Return a dependency: the caller, if the role and the token's scopes allow this.

    It raises NotAllowed, also while the password must be changed first.
    """

    def check(caller: SignedIn) -> Caller:
        if caller.must_change_password:
            raise NotAllowed("change your password first.", "must_change_password")
        if not caller.role.includes(NEEDED[scope]):
            raise NotAllowed(f"this needs the role {NEEDED[scope].value}; yours is {caller.role}.")
        if not caller.may(scope):
            raise NotAllowed(f"this token lacks the scope {scope.value}.")
        return caller

    return check


def in_person(caller: SignedIn) -> Caller:
    """Return a caller who is signed in himself. Raises NotAllowed for a token, whatever its scopes.

    A program may not change who gets into an account: a leaked token could lock its user out.
    """
    if caller.via != "session":
        raise NotAllowed("sign in with your password for this: no token may do it.")
    return caller


def reader_in_person(caller: Annotated[Caller, Depends(allowed(Scope.READ))]) -> Caller:
    """Do the same, and refuse who must change the password first."""
    return in_person(caller)


InPerson = Annotated[Caller, Depends(in_person)]  # a password to be changed included
ReaderInPerson = Annotated[Caller, Depends(reader_in_person)]
Reader = Annotated[Caller, Depends(allowed(Scope.READ))]
Trader = Annotated[Caller, Depends(allowed(Scope.WRITE))]
Admin = Annotated[Caller, Depends(allowed(Scope.ADMIN))]

"""Sessions: sign in, find out who asks, sign out."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mela.errors import NotFound, NotSignedIn, TooManyAttempts
from mela.settings import Settings
from services.accounts import passwords
from services.accounts.accounts import Caller, Role, scopes_of
from warehouse.accounts import accounts as stored_accounts
from warehouse.accounts import attempts, browsers, tokens
from warehouse.accounts import sessions as stored
from warehouse.database import transaction

BYTES = 32  # of a session's token, of which 16 would do
WRONG = "the user or the password is not right."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session. token: what the browser keeps; it is shown nowhere else."""

    token: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in."""

    id: int
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    address: str | None
    agent: str | None
    is_this: bool


def digest(secret: str) -> bytes:
    """Return what is kept of a random secret: its SHA-256, (32,) bytes."""
    return hashlib.sha256(secret.encode()).digest()


def csrf_token(session_token: str) -> str:
    """Return what a page must send back with each change; it tells nothing of the session."""
    made = hmac.digest(session_token.encode(), b"mela csrf", "sha256")
    return urlsafe_b64encode(made).decode().rstrip("=")


def sign_in(
    settings: Settings,
    user: str,
    password: str,
    *,
    address: str,
    agent: str | None,
    browser: str | None = None,
) -> SignedIn:
    """Begin a session. Raises NotSignedIn, and TooManyAttempts where many failed before.

    An unknown user, a disabled one and a wrong password take the same time and the same words.
    browser: what the browser keeps since an earlier sign-in. One that this user has signed in from
    waits for its own failures alone, whatever others do at its address.
    """
    name = user.strip().lower()
    name_hash = digest(name)
    with transaction(settings) as connection:
        account = stored_accounts.by_name(connection, name)
        known_as = browsers.known(connection, name, digest(browser or ""))
        place = address if known_as is None else f"browser {known_as}"
        left_s = attempts.wait_s if known_as is None else attempts.own_wait_s
        wait_s = left_s(connection, name_hash, place)
        if wait_s > 0:
            raise TooManyAttempts(
                "too many sign-ins failed; wait a little before the next one.", wait_s
            )
        attempts.note(connection, name_hash, place)  # first, so that tries at once count as well
    known = account.password_hash if account else None
    is_right = passwords.is_right(known or passwords.nobodys(), password[: passwords.LONGEST + 1])
    if account is None or known is None or not is_right or account.is_disabled:
        raise NotSignedIn(WRONG)
    with transaction(settings) as connection:
        attempts.forget(connection, name_hash, place)
        if passwords.is_old(known):
            stored_accounts.rehash(connection, account.id, passwords.hashed(password))
    return begin(settings, account, address=address, agent=agent)


def remember(settings: Settings, caller: Caller, browser: str | None) -> str:
    """Remember from which browser somebody has signed in; return what it is to keep.

    browser: what it keeps already. Only what came from here is used again.
    """
    with transaction(settings) as connection:
        is_ours = browser is not None and browsers.is_ours(connection, digest(browser))
        kept = browser if browser is not None and is_ours else secrets.token_urlsafe(BYTES)
        browsers.seen(connection, caller.account_id, digest(kept))
    return kept


def begin(
    settings: Settings, account: stored_accounts.AccountRow, *, address: str, agent: str | None
) -> SignedIn:
    """Begin a session of an account that has proved who it is, under a new token."""
    token = secrets.token_urlsafe(BYTES)
    ends_at = datetime.now(UTC) + timedelta(days=settings.api.session_days)
    with transaction(settings) as connection:
        session_id = stored.add(
            connection, account.id, digest(token), ends_at, address=address, agent=agent
        )
    caller = Caller(
        account_id=account.id,
        user_id=account.user_id,
        user=account.user,
        role=Role(account.role),
        scopes=scopes_of(Role(account.role)),
        via="session",
        must_change_password=account.must_change_password,
        session_id=session_id,
    )
    return SignedIn(token, caller)


def caller_of_session(settings: Settings, token: str) -> Caller | None:
    """Return who has a session's token; None where it has ended or there is none."""
    idle = timedelta(hours=settings.api.session_idle_hours)
    with transaction(settings) as connection:
        found = stored.use(connection, digest(token), idle)
    if found is None:
        return None
    return Caller(
        account_id=found.account_id,
        user_id=found.user_id,
        user=found.user,
        role=Role(found.role),
        scopes=scopes_of(Role(found.role)),
        via="session",
        must_change_password=found.must_change_password,
        session_id=found.id,
    )


def caller_of_token(settings: Settings, token: str) -> Caller | None:
    """Return who has a personal token; None where it has ended or there is none."""
    with transaction(settings) as connection:
        found = tokens.use(connection, digest(token))
    if found is None:
        return None
    return Caller(
        account_id=found.account_id,
        user_id=found.user_id,
        user=found.user,
        role=Role(found.role),
        scopes=scopes_of(Role(found.role)) & set(found.scopes),
        via="token",
        token_id=found.id,
    )


def is_alive(settings: Settings, caller: Caller) -> bool:
    """Tell whether the caller's session or token goes on, as one who listens for long must ask.

    After a change of the role it does not: whoever listens has the rights of before.
    """
    idle = timedelta(hours=settings.api.session_idle_hours)
    with transaction(settings) as connection:
        if caller.token_id is not None:
            return tokens.is_live(connection, caller.token_id, caller.role)
        return stored.is_live(connection, caller.session_id or 0, idle, caller.role)


def every(settings: Settings, caller: Caller) -> list[Session]:
    """Return the caller's own sessions that have not ended, the last used first."""
    idle = timedelta(hours=settings.api.session_idle_hours)
    with transaction(settings) as connection:
        rows = stored.every(connection, caller.account_id, idle)
    return [
        Session(
            id=row.id,
            created_at=row.created_at,
            seen_at=row.seen_at,
            ends_at=row.ends_at,
            address=row.address,
            agent=row.agent,
            is_this=row.id == caller.session_id,
        )
        for row in rows
    ]


def sign_out(settings: Settings, caller: Caller) -> None:
    """End the session that asks."""
    if caller.session_id is not None:
        with transaction(settings) as connection:
            stored.end(connection, caller.account_id, caller.session_id)


def end(settings: Settings, caller: Caller, session_id: int) -> None:
    """End one of the caller's own sessions. Raises NotFound for another one."""
    with transaction(settings) as connection:
        if not stored.end(connection, caller.account_id, session_id):
            raise NotFound(f"you have no session {session_id}.")


def sign_out_everywhere(settings: Settings, caller: Caller) -> int:
    """End all of the caller's sessions, this one too, and return how many there were."""
    with transaction(settings) as connection:
        return stored.end_all(connection, caller.account_id)

"""Personal tokens: for scripts, notebooks and assistants that act for a user."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mela.errors import Conflict, InputInvalid, NotAllowed, NotFound
from mela.settings import Settings
from services.accounts.accounts import Caller, Scope
from services.accounts.sessions import digest
from warehouse.accounts import tokens as stored
from warehouse.accounts.tokens import TokenRow
from warehouse.database import transaction

BEGINNING = "mela_"  # by which scanners of leaked secrets know one
LONGEST_DAYS, MOST = 366, 50


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was made. secret: shown now and never again."""

    id: int
    secret: str
    ends_at: datetime


def make(
    settings: Settings, caller: Caller, name: str, scopes: Collection[Scope], days: int
) -> NewToken:
    """Make a token for the caller. Raises InputInvalid, NotAllowed, and Conflict above 50.

    A token makes no tokens, so that one that leaked cannot outlive its end.
    """
    if caller.via != "session":
        raise NotAllowed("sign in with your password to make a token; a token makes none.")
    if not name.strip():
        raise InputInvalid("name", "expected a name that says what the token is for.")
    if not scopes:
        raise InputInvalid("scopes", "expected at least one scope.")
    if not 1 <= days <= LONGEST_DAYS:
        raise InputInvalid("days", f"expected 1 to {LONGEST_DAYS} days.")
    for scope in scopes:
        if not caller.may(scope):
            raise NotAllowed(f"your role {caller.role.value} does not allow {scope.value}.")
    secret = BEGINNING + secrets.token_urlsafe(32)
    ends_at = datetime.now(UTC) + timedelta(days=days)
    with transaction(settings) as connection:
        if len(stored.every(connection, caller.account_id)) >= MOST:
            raise Conflict(f"you have {MOST} tokens; take one back first.")
        wanted = {scope.value for scope in scopes} | {Scope.READ.value}
        token_id = stored.add(
            connection, caller.account_id, name.strip(), digest(secret), wanted, ends_at
        )
    return NewToken(token_id, secret, ends_at)


def every(settings: Settings, caller: Caller) -> list[TokenRow]:
    """Return the caller's tokens that were not taken back, the oldest first."""
    with transaction(settings) as connection:
        return stored.every(connection, caller.account_id)


def end(settings: Settings, caller: Caller, token_id: int) -> None:
    """Take one of the caller's tokens back. Raises NotFound."""
    with transaction(settings) as connection:
        if not stored.end(connection, caller.account_id, token_id):
            raise NotFound(f"you have no token {token_id}.")

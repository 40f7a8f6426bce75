"""Invitations, and how a person makes an account with one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mela.errors import Conflict, InputInvalid, NotAllowed, NotFound, TooManyAttempts
from mela.settings import Settings
from services.accounts import accounts, passwords
from services.accounts.accounts import Caller, Role
from services.accounts.sessions import SignedIn, begin, digest
from warehouse.accounts import accounts as stored_accounts
from warehouse.accounts import attempts
from warehouse.accounts import invitations as stored
from warehouse.accounts.invitations import InvitationRow
from warehouse.database import transaction

LONGEST_DAYS = 60
_REGISTRATION = digest("\x00 registration")  # whose attempts are counted like a user's


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation that was made. link: shown now and never again."""

    id: int
    link: str
    ends_at: datetime


def make(
    settings: Settings, caller: Caller, role: Role, note: str | None, days: int
) -> NewInvitation:
    """Make an invitation for one person. Raises InputInvalid."""
    if not 1 <= days <= LONGEST_DAYS:
        raise InputInvalid("days", f"expected 1 to {LONGEST_DAYS} days.")
    secret = secrets.token_urlsafe(32)
    ends_at = datetime.now(UTC) + timedelta(days=days)
    with transaction(settings) as connection:
        made = stored.add(connection, digest(secret), role.value, note, caller.account_id, ends_at)
    # behind a #: it reaches neither a server's log nor a referrer
    return NewInvitation(made, f"{settings.api.origin}/register#{secret}", ends_at)


def every(settings: Settings) -> list[InvitationRow]:
    """Return the last 200 invitations that were not taken back, the newest first."""
    with transaction(settings) as connection:
        return stored.every(connection)


def end(settings: Settings, invitation_id: int) -> None:
    """Take an invitation back. Raises NotFound where it was used, or there is none."""
    with transaction(settings) as connection:
        if not stored.end(connection, invitation_id):
            raise NotFound(f"there is no open invitation {invitation_id}.")


def role_of(settings: Settings, secret: str, *, address: str) -> Role:
    """Return the role that an invitation gives. Raises NotFound, and TooManyAttempts."""
    _check_attempts(settings, address)
    with transaction(settings) as connection:
        found = stored.role_of(connection, digest(secret))
    if found is None:
        raise _unknown(settings, address)
    return Role(found)


def register(
    settings: Settings,
    secret: str | None,
    user: str,
    password: str,
    *,
    address: str,
    agent: str | None,
) -> SignedIn:
    """Make an account, and sign it in.

    secret: the invitation's; None where registration is open, which makes viewers
    Raises NotFound for an invitation that has ended, InputInvalid, Conflict for a name that is
    taken, NotAllowed where nobody may come uninvited, and TooManyAttempts.
    """
    if secret is None and not settings.api.is_registration_open:
        raise NotAllowed("ask an administrator for an invitation.", "not_invited")
    _check_attempts(settings, address)
    name = accounts.name_checked(user)
    passwords.check(password, name)
    hashed = passwords.hashed(password)
    try:
        account = _made(settings, secret, name, hashed)
    except Conflict:  # it tells a name: nobody shall ask for one after another
        _note(settings, address)
        raise
    if account is None:
        raise _unknown(settings, address)
    if secret is None:
        _note(settings, address)  # so that one address makes few accounts an hour
    return begin(settings, account, address=address, agent=agent)


def _made(
    settings: Settings, secret: str | None, name: str, hashed: str
) -> stored_accounts.AccountRow | None:
    """Make an account; return None for an invitation that has ended. Raises Conflict."""
    with transaction(settings) as connection:
        taken = None if secret is None else stored.take(connection, digest(secret))
        if secret is not None and taken is None:
            return None
        role = Role.VIEWER if taken is None else Role(taken[1])
        account_id = accounts.stored_new(connection, name, role, hashed)
        if taken is not None:
            stored.use(connection, taken[0], account_id)
        return stored_accounts.by_id(connection, account_id)


def _note(settings: Settings, address: str) -> None:
    with transaction(settings) as connection:
        attempts.note(connection, _REGISTRATION, address)


def _check_attempts(settings: Settings, address: str) -> None:
    with transaction(settings) as connection:
        wait_s = attempts.wait_s(connection, _REGISTRATION, address)
    if wait_s > 0:
        raise TooManyAttempts("too many tries; wait a little before the next one.", wait_s)


def _unknown(settings: Settings, address: str) -> NotFound:
    _note(settings, address)
    return NotFound("this invitation was used, has ended, or never was; ask for a new one.")

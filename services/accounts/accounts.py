"""Accounts: who may sign in, with which role, and what a caller of the application may do."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from sqlalchemy import Connection

from mela.errors import Conflict, InputInvalid, NotAllowed, NotFound, TooManyAttempts
from mela.settings import Settings
from services.accounts import passwords
from warehouse.accounts import accounts as stored
from warehouse.accounts import attempts, browsers
from warehouse.accounts import sessions as stored_sessions
from warehouse.accounts import tokens as stored_tokens
from warehouse.database import transaction
from warehouse.scenes import users

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
KAFKA = "kafka"  # owns scenes that somebody unknown sent to Kafka
RESERVED = frozenset({KAFKA, "unknown", "nobody", "mela", "system"})


class Role(StrEnum):
    """The kinds of accounts. Each may do all that those before it may."""

    VIEWER = "viewer"
    TRADER = "trader"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Tell whether this role may do all that another one may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class Scope(StrEnum):
    """The uses of a token; a session has all that its role allows."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


NEEDED: dict[Scope, Role] = {
    Scope.READ: Role.VIEWER,
    Scope.WRITE: Role.TRADER,
    Scope.ADMIN: Role.ADMIN,
}


def scopes_of(role: Role) -> frozenset[Scope]:
    """Return all that a role may do."""
    return frozenset(scope for scope, needed in NEEDED.items() if role.includes(needed))


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a use case. user: the name in `ops.user`, to whom scenes belong.

    scopes: what he may do: what the role allows and, of a token, no more than it was made for
    session_id, token_id: by which of them; one is None
    """

    account_id: int
    user_id: int
    user: str
    role: Role
    scopes: frozenset[str]
    via: Literal["session", "token"]
    must_change_password: bool = False
    session_id: int | None = None
    token_id: int | None = None

    def may(self, scope: Scope) -> bool:
        """Tell whether the role and, of a token, its scopes allow this."""
        return scope in self.scopes


@dataclass(frozen=True, slots=True)
class Account:
    """A user who may sign in, without secrets."""

    user: str
    role: Role
    is_disabled: bool
    must_change_password: bool
    has_password: bool
    created_at: datetime
    signed_in_at: datetime | None
    runs_per_day: int | None
    scenes_at_once: int | None


def name_checked(name: str) -> str:
    """Return a name as accounts have it, in small letters. Raises InputInvalid."""
    found = name.strip().lower()
    if not _NAME.fullmatch(found) or found in RESERVED:
        raise InputInvalid(
            "user",
            "expected a name of 1 to 64 letters of a to z, digits, dots, hyphens, underscores or @ "
            f"that begins with a letter or digit and is none of {', '.join(sorted(RESERVED))}.",
        )
    return found


def add(
    settings: Settings,
    user: str,
    password: str | None,
    role: Role,
    *,
    must_change_password: bool = False,
    may_adopt: bool = False,
) -> Account:
    """Make an account. Raises InputInvalid, and Conflict where the name is taken.

    password: None for one who signs in at an identity provider only
    may_adopt: whether the name may be one under which scenes were published before
    """
    name = name_checked(user)
    hashed = None
    if password is not None:
        passwords.check(password, name)
        hashed = passwords.hashed(password)
    with transaction(settings) as connection:
        account_id = stored_new(
            connection,
            name,
            role,
            hashed,
            must_change_password=must_change_password,
            may_adopt=may_adopt,
        )
        return _account(stored.by_id(connection, account_id))


def every(settings: Settings) -> list[Account]:
    """Return all accounts, by name."""
    with transaction(settings) as connection:
        return [_account(row) for row in stored.every(connection)]


def one(settings: Settings, user: str) -> Account:
    """Return an account. Raises NotFound."""
    with transaction(settings) as connection:
        return _account(_found(stored.by_name(connection, user.strip().lower()), user))


def set_password(settings: Settings, user: str, password: str, *, must_change: bool) -> None:
    """Give an account a password, as an administrator does. Its sessions and tokens end."""
    with transaction(settings) as connection:
        found = _found(stored.by_name(connection, user.strip().lower()), user)
        passwords.check(password, found.user)
        stored.set_password(
            connection, found.id, passwords.hashed(password), must_change=must_change
        )
        _let_nobody_stay(connection, found.id)


def change_password(settings: Settings, caller: Caller, current: str, new: str) -> None:
    """Change one's own password. Other sessions and all tokens end.

    Raises NotAllowed for a wrong `current`, and TooManyAttempts after many: a session that somebody
    took over must not find the password out.
    """
    tries, place = _tries_of(caller), f"account {caller.account_id}"
    with transaction(settings) as connection:
        known = stored.by_id(connection, caller.account_id).password_hash
        wait_s = attempts.own_wait_s(connection, tries, place)
        if wait_s > 0:
            raise TooManyAttempts("too many tries; wait a little before the next one.", wait_s)
        attempts.note(connection, tries, place)
    if known is None or not passwords.is_right(known, current[: passwords.LONGEST + 1]):
        raise NotAllowed("the current password is not right.", "wrong_password")
    with transaction(settings) as connection:
        attempts.forget(connection, tries, place)
    if current == new:
        raise InputInvalid("new", "expected another password than the current one.")
    passwords.check(new, caller.user, field="new")
    hashed = passwords.hashed(new)
    with transaction(settings) as connection:
        stored.set_password(connection, caller.account_id, hashed, must_change=False)
        _let_nobody_stay(connection, caller.account_id, but=caller.session_id)


def _tries_of(caller: Caller) -> bytes:
    """Return under which hash tries to change a password are counted: no user's name has it."""
    return hashlib.sha256(f"\x00 password of {caller.account_id}".encode()).digest()


def _let_nobody_stay(connection: Connection, account_id: int, but: int | None = None) -> None:
    """End an account's sessions, except one, and its tokens, and forget its browsers."""
    stored_sessions.end_all(connection, account_id, but=but)
    stored_tokens.end_all(connection, account_id)
    browsers.forget(connection, account_id)


def change(
    settings: Settings,
    user: str,
    *,
    role: Role | None = None,
    is_disabled: bool | None = None,
) -> Account:
    """Change an account's role, or whether it may sign in; its sessions then end.

    Raises NotFound, and Conflict where nobody would be left who is an administrator.
    """
    with transaction(settings) as connection:
        stored.lock(connection)
        found = _found(stored.by_name(connection, user.strip().lower()), user)
        loses = (role is not None and role is not Role.ADMIN) or is_disabled
        was_admin = found.role == Role.ADMIN and not found.is_disabled
        if loses and was_admin and stored.count_admins(connection) == 1:
            raise Conflict(f"{found.user} is the only administrator; make another one first.")
        stored.change(connection, found.id, role=role and role.value, is_disabled=is_disabled)
        if is_disabled:
            _let_nobody_stay(connection, found.id)
        elif role is not None and role != found.role:
            stored_sessions.end_all(connection, found.id)
        return _account(stored.by_id(connection, found.id))


def role_named(name: str) -> Role:
    """Return a role by its name. Raises InputInvalid."""
    try:
        return Role(name)
    except ValueError as error:
        words = ", ".join(role.value for role in Role)
        raise InputInvalid("role", f"expected one of {words}, but found {name!r}.") from error


def has_password(settings: Settings, user: str, password: str) -> bool:
    """Tell whether somebody may sign in with this password."""
    with transaction(settings) as connection:
        found = stored.by_name(connection, user)
    if found is None or found.password_hash is None or found.is_disabled:
        return False
    return passwords.is_right(found.password_hash, password)


def ensure_first(settings: Settings, user: str, password: str) -> bool:
    """Make the first administrator if there is no account at all, and tell whether it did."""
    with transaction(settings) as connection:
        stored.lock(connection)
        if stored.count(connection):
            return False
        stored_new(connection, user, Role.ADMIN, passwords.hashed(password), may_adopt=True)
        return True


def stored_new(
    connection: Connection,
    name: str,
    role: Role,
    hashed: str | None,
    *,
    must_change_password: bool = False,
    may_adopt: bool = False,
    oidc: tuple[str, str] | None = None,
) -> int:
    """Store an account in a transaction that is under way, and return its id. Raises Conflict.

    may_adopt: whether a user of this name may be there, whose scenes then are the account's
    oidc: the issuer and the subject of one who signs in at an identity provider
    """
    taken = Conflict(f"the name {name} is taken; choose another one.")
    if not may_adopt and stored.is_used(connection, name):
        raise taken
    account_id = stored.add(
        connection,
        users.ensure(connection, name),
        role.value,
        hashed,
        must_change_password=must_change_password,
        oidc=oidc,
    )
    if account_id is None:
        raise taken
    return account_id


def _found(row: stored.AccountRow | None, user: str) -> stored.AccountRow:
    if row is None:
        raise NotFound(f"there is no account {user!r}; `mela user list` names them all.")
    return row


def _account(row: stored.AccountRow) -> Account:
    return Account(
        user=row.user,
        role=Role(row.role),
        is_disabled=row.is_disabled,
        must_change_password=row.must_change_password,
        has_password=row.password_hash is not None,
        created_at=row.created_at,
        signed_in_at=row.signed_in_at,
        runs_per_day=row.runs_per_day,
        scenes_at_once=row.scenes_at_once,
    )

"""Accounts, sessions, and the caller who is signed in."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, SecretStr

from api.models.answers import Answer, Asked, Instant, JsonObject
from services.accounts.accounts import Role, Scope


class SignIn(Asked):
    """A user and a password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user": "ada", "password": "correct horse battery"}]}
    )

    user: str = Field(min_length=1, max_length=100)
    password: SecretStr = Field(max_length=1024)


class QuotaState(Answer):
    """The quotas of a user, and how much of them is used. 0: any number."""

    runs_per_day: int
    runs_today: int
    scenes_at_once: int
    scenes_now: int


class Me(Answer):
    """The caller of a use case.

    csrf_token: goes into the header X-CSRF-Token of each change; null for tokens.
    """

    user: str
    role: Role
    scopes: list[str]
    csrf_token: str | None
    must_change_password: bool
    via: Literal["session", "token"]
    quota: QuotaState


class SessionRow(Answer):
    """A browser that is signed in."""

    id: int
    created_at: Instant
    seen_at: Instant
    ends_at: Instant
    address: str | None
    agent: str | None
    is_this: bool


class Sessions(Answer):
    """The caller's sessions, the last used first."""

    items: list[SessionRow]


class PasswordChange(Asked):
    """One's own password, before and after."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"current": "seven quiet herons", "new": "nine loud geese"}]
        }
    )

    current: SecretStr = Field(max_length=1024)
    new: SecretStr = Field(max_length=1024)


class TokenToMake(Asked):
    """A token for a script, a notebook or an assistant. days: after which it ends."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "notebook", "scopes": ["read"], "days": 90}]}
    )

    name: str = Field(min_length=1, max_length=100)
    scopes: list[Scope] = Field(min_length=1, max_length=3)
    days: int = Field(default=90, ge=1, le=366)


class NewToken(Answer):
    """A token that was made. secret: shown now and never again."""

    id: int
    secret: str
    ends_at: Instant


class TokenRow(Answer):
    """A token, without its secret."""

    id: int
    name: str
    scopes: list[Scope]
    created_at: Instant
    ends_at: Instant
    used_at: Instant | None


class Tokens(Answer):
    """The caller's tokens, the oldest first."""

    items: list[TokenRow]


class InvitationToMake(Asked):
    """An invitation for one person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"role": "trader", "note": "for the new colleague", "days": 7}]
        }
    )

    role: Role = Role.TRADER
    note: str | None = Field(default=None, max_length=200)
    days: int = Field(default=7, ge=1, le=60)


class NewInvitation(Answer):
    """An invitation that was made. link: shown now and never again."""

    id: int
    link: str
    ends_at: Instant


class InvitationRow(Answer):
    """An invitation, without its secret."""

    id: int
    role: Role
    note: str | None
    made_by: str
    created_at: Instant
    ends_at: Instant
    used_at: Instant | None
    used_by: str | None


class Invitations(Answer):
    """The last 200 invitations, the newest first."""

    items: list[InvitationRow]


class InvitationCheck(Answer):
    """The rights that an invitation gives."""

    role: Role


class Registration(Asked):
    """A new account. invitation: what stands behind # in its link; null where none is needed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"invitation": "Zm9y…", "user": "anna", "password": "seven quiet herons"}]
        }
    )

    invitation: str | None = Field(default=None, max_length=200)
    user: str = Field(min_length=1, max_length=100)
    password: SecretStr = Field(max_length=1024)


class AccountRow(Answer):
    """An account. runs_per_day, scenes_at_once: null for the default, 0 for any number."""

    user: str
    role: Role
    is_disabled: bool
    must_change_password: bool
    has_password: bool
    created_at: Instant
    signed_in_at: Instant | None
    runs_per_day: int | None
    scenes_at_once: int | None


class Accounts(Answer):
    """All accounts, by name."""

    items: list[AccountRow]


class QuotaToSet(Asked):
    """The quotas of a user; null for the default, 0 for any number."""

    runs_per_day: int | None = Field(default=None, ge=0, le=2**31 - 1)
    scenes_at_once: int | None = Field(default=None, ge=0, le=2**31 - 1)


class AccountChange(Asked):
    """Changes of an account; absent fields stay."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"role": "trader", "quota": {"runs_per_day": 100000, "scenes_at_once": 5}}]
        }
    )

    role: Role | None = None
    is_disabled: bool | None = None
    quota: QuotaToSet | None = None


class PublisherRow(Answer):
    """A user who publishes and has no account. runs_per_day, scenes_at_once: null: the default."""

    user: str
    runs_per_day: int | None
    scenes_at_once: int | None
    quota: QuotaState


class Publishers(Answer):
    """A publisher without an account; `kafka` and `mela-publisher` come first."""

    items: list[PublisherRow]


class PublisherChange(Asked):
    """The quota of a user who has no account."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"quota": {"runs_per_day": 10000, "scenes_at_once": 5}}]}
    )

    quota: QuotaToSet


class AuditRow(Answer):
    """Something that was done, or refused. user: null where nobody was known."""

    id: int
    at: Instant
    user: str | None
    via: Literal["session", "token", "nobody", "command"]
    action: str
    outcome: Literal["done", "refused"]
    subject: str | None
    address: str | None
    detail: JsonObject | None


class AuditPage(Answer):
    """Entries of the audit log, the newest first."""

    items: list[AuditRow]
    next_cursor: str | None

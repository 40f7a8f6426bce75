"""Who is signed in, accounts, sessions."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, SecretStr

from api.models.answers import Answer, Asked, Instant
from services.accounts import Role


class SignIn(Asked):
    """A user and a password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user": "ada", "password": "correct horse battery"}]}
    )

    user: str = Field(min_length=1, max_length=100)
    password: SecretStr = Field(max_length=1024)


class QuotaState(Answer):
    """What a user may ask for, and how much of it is used. 0: any number."""

    runs_per_day: int
    runs_today: int
    scenes_at_once: int
    scenes_now: int


class Me(Answer):
    """Who asks. csrf_token: goes into the header X-CSRF-Token of each change; null for tokens."""

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

    current: SecretStr = Field(max_length=1024)
    new: SecretStr = Field(max_length=1024)

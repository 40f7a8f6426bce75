"""The web application's tables: accounts, sessions, tokens, and what owners say of scenes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.schema.tables.base import Base, Now, one_of

AccountId = Annotated[int, mapped_column(ForeignKey("app.account.id"))]
UserId = Annotated[int, mapped_column(ForeignKey("ops.user.id"))]
Big = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Digest = Annotated[bytes, mapped_column(LargeBinary)]
No = Annotated[bool, mapped_column(server_default=text("false"))]
ROLES = ("viewer", "trader", "admin")


def _is_digest(column: str) -> CheckConstraint:
    return CheckConstraint(f"octet_length({column}) = 32", name=column)


def _app(comment: str) -> dict[str, str]:
    return {"schema": "app", "comment": comment}


class Account(Base):
    """A user who may sign in. Grain: user_id."""

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("user_id"),
        UniqueConstraint("oidc_issuer", "oidc_subject", name="account_oidc_key"),
        one_of("role", *ROLES),
        CheckConstraint("(oidc_issuer IS NULL) = (oidc_subject IS NULL)", name="oidc"),
        _app("a user who may sign in. Grain: user_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[UserId]
    role: Mapped[str]
    password_hash: Mapped[str | None]
    must_change_password: Mapped[No]
    is_disabled: Mapped[No]
    oidc_issuer: Mapped[str | None]
    oidc_subject: Mapped[str | None]
    created_at: Mapped[Now]
    password_changed_at: Mapped[datetime | None]
    signed_in_at: Mapped[datetime | None]


class Session(Base):
    """A browser that signed in. Grain: id."""

    __tablename__ = "session"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        _is_digest("token_hash"),
        Index("session_account_id_idx", "account_id"),
        _app("a browser that signed in. Grain: id"),
    )

    id: Mapped[Big]
    account_id: Mapped[AccountId]
    token_hash: Mapped[Digest]
    created_at: Mapped[Now]
    seen_at: Mapped[Now]
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    address: Mapped[str | None]
    agent: Mapped[str | None]


class Browser(Base):
    """A browser from which a user has signed in. Grain: account_id, token_hash."""

    __tablename__ = "browser"
    __table_args__ = (
        UniqueConstraint("account_id", "token_hash"),
        _is_digest("token_hash"),
        _app("a browser from which a user has signed in. Grain: account_id, token_hash"),
    )

    id: Mapped[Big]
    account_id: Mapped[AccountId]
    token_hash: Mapped[Digest]
    signed_in_at: Mapped[Now]


class Token(Base):
    """A personal token for programs. Grain: id."""

    __tablename__ = "token"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        CheckConstraint(
            "cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'write', 'admin']", name="scopes"
        ),
        _is_digest("token_hash"),
        Index("token_account_id_idx", "account_id"),
        _app("a personal token for programs. Grain: id"),
    )

    id: Mapped[Big]
    account_id: Mapped[AccountId]
    name: Mapped[str]
    token_hash: Mapped[Digest]
    scopes: Mapped[list[str]]
    created_at: Mapped[Now]
    ends_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Invitation(Base):
    """A link by which one person makes an account. Grain: id."""

    __tablename__ = "invitation"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        one_of("role", *ROLES),
        CheckConstraint("(used_at IS NULL) = (used_by IS NULL)", name="used"),
        _is_digest("token_hash"),
        _app("a link by which one person makes an account. Grain: id"),
    )

    id: Mapped[Big]
    token_hash: Mapped[Digest]
    role: Mapped[str]
    note: Mapped[str | None]
    made_by: Mapped[AccountId]
    created_at: Mapped[Now]
    ends_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by: Mapped[int | None] = mapped_column(ForeignKey("app.account.id"))
    ended_at: Mapped[datetime | None]


class Attempt(Base):
    """A sign-in that failed; kept for a day. Grain: id."""

    __tablename__ = "attempt"
    __table_args__ = (
        _is_digest("name_hash"),
        Index("attempt_name_hash_idx", "name_hash", "address", "at"),
        Index("attempt_address_idx", "address", "at"),
        _app("a sign-in that failed; kept for a day. Grain: id"),
    )

    id: Mapped[Big]
    name_hash: Mapped[Digest]
    address: Mapped[str]
    at: Mapped[Now]


class OidcAttempt(Base):
    """A sign-in that is at the identity provider now. Grain: state_hash."""

    __tablename__ = "oidc_attempt"
    __table_args__ = (
        _is_digest("state_hash"),
        _app("a sign-in that is at the identity provider now. Grain: state_hash"),
    )

    state_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    nonce: Mapped[str]
    code_verifier: Mapped[str]
    return_to: Mapped[str]
    ends_at: Mapped[datetime]


class SceneCard(Base):
    """The labels that an owner gives a scene. Grain: scene_id."""

    __tablename__ = "scene_card"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("length(note) <= 10000", name="note"),
        CheckConstraint("cardinality(tags) <= 20", name="tags"),
        Index("scene_card_tags_idx", "tags", postgresql_using="gin"),
        Index("scene_card_private_idx", "scene_id", postgresql_where=text("is_private")),
        _app("what an owner says of a scene. Grain: scene_id"),
    )

    scene_id: Mapped[UUID] = mapped_column(ForeignKey("ops.scene.scene_id"), primary_key=True)
    name: Mapped[str | None]
    note: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    is_private: Mapped[No]
    changed_at: Mapped[Now]


class Idempotency(Base):
    """A publication by its Idempotency-Key; kept for a day. Grain: account_id, key."""

    __tablename__ = "idempotency"
    __table_args__ = (
        CheckConstraint("length(key) BETWEEN 1 AND 200", name="key"),
        _is_digest("request_hash"),
        _app("a publication by its Idempotency-Key; kept for a day. Grain: account_id, key"),
    )

    account_id: Mapped[int] = mapped_column(
        ForeignKey("app.account.id"), primary_key=True, autoincrement=False
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[Digest]
    scene_id: Mapped[UUID]
    created_at: Mapped[Now]


class Quota(Base):
    """The quotas that an administrator set for a user. Grain: user_id."""

    __tablename__ = "quota"
    __table_args__ = (
        CheckConstraint("runs_per_day >= 0 AND scenes_at_once >= 0", name="numbers"),
        _app(
            "what an administrator set for a user: 0 is no limit, null the default. Grain: user_id"
        ),
    )

    user_id: Mapped[int] = mapped_column(
        ForeignKey("ops.user.id"), primary_key=True, autoincrement=False
    )
    runs_per_day: Mapped[int | None]
    scenes_at_once: Mapped[int | None]


class AuditEntry(Base):
    """An entry of the audit log: who did what, when and from where. Grain: id."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        one_of("outcome", "done", "refused"),
        one_of("via", "session", "token", "nobody", "command"),
        Index("audit_entry_user_name_idx", "user_name", "id"),
        Index("audit_entry_action_idx", "action", "id"),
        _app("who did what, when and from where. Grain: id"),
    )

    id: Mapped[Big]
    at: Mapped[Now]
    user_name: Mapped[str | None]
    via: Mapped[str]
    action: Mapped[str]
    outcome: Mapped[str]
    subject: Mapped[str | None]
    address: Mapped[str | None]
    detail: Mapped[dict[str, Any] | None]

"""Accounts, for administrators."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.caller import Admin
from api.context import AppSettings
from api.models.accounts import (
    AccountChange,
    AccountRow,
    Accounts,
    PublisherChange,
    PublisherRow,
    Publishers,
)
from services.accounts import accounts, quotas

router = APIRouter(tags=["accounts"])


@router.get("/users")
def list_users(caller: Admin, settings: AppSettings) -> Accounts:
    """Return all accounts, by name."""
    rows = accounts.every(settings)
    return Accounts(items=[AccountRow.model_validate(row, from_attributes=True) for row in rows])


@router.patch("/users/{user}")
def change_user(
    user: str, asked: AccountChange, request: Request, caller: Admin, settings: AppSettings
) -> AccountRow:
    """Change a role, a quota, or whether somebody may sign in; the sessions then end."""
    request.state.audit_detail = asked.model_dump(mode="json", exclude_unset=True)
    found = accounts.change(settings, user, role=asked.role, is_disabled=asked.is_disabled)
    if asked.quota is not None:
        quotas.set_quota(
            settings,
            found.user,
            runs_per_day=asked.quota.runs_per_day,
            scenes_at_once=asked.quota.scenes_at_once,
        )
        found = accounts.one(settings, found.user)
    return AccountRow.model_validate(found, from_attributes=True)


@router.get("/publishers")
def list_publishers(_: Admin, settings: AppSettings) -> Publishers:
    """Return who publishes without an account: straight to Kafka, or at the command line."""
    rows = quotas.publishers(settings)
    return Publishers(
        items=[PublisherRow.model_validate(row, from_attributes=True) for row in rows]
    )


@router.patch("/publishers/{user}")
def change_publisher(
    user: str, asked: PublisherChange, request: Request, _: Admin, settings: AppSettings
) -> PublisherRow:
    """Set the quota of one who publishes without an account; `kafka`, say."""
    request.state.audit_detail = asked.model_dump(mode="json", exclude_unset=True)
    quotas.publisher(settings, user)
    quotas.set_quota(
        settings,
        user,
        runs_per_day=asked.quota.runs_per_day,
        scenes_at_once=asked.quota.scenes_at_once,
    )
    found = quotas.publisher(settings, user)
    return PublisherRow.model_validate(found, from_attributes=True)

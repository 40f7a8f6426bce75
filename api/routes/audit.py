"""The audit log, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.caller import Admin
from api.context import AppSettings
from api.models.accounts import AuditPage, AuditRow
from services.accounts import audit

router = APIRouter(tags=["audit"])

Words = Annotated[str | None, Query(max_length=100)]


@router.get("/audit")
def list_audit(
    caller: Admin,
    settings: AppSettings,
    cursor: Words = None,
    user: Words = None,
    action: Words = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AuditPage:
    """Return who did what, when and from where, the newest first."""
    found = audit.page(settings, cursor=cursor, user=user, action=action, limit=limit)
    items = [AuditRow.model_validate(one, from_attributes=True) for one in found.items]
    return AuditPage(items=items, next_cursor=found.next_cursor)

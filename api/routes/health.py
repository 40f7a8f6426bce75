"""Routes that say whether the application is alive, and describe it. Both are public."""

from __future__ import annotations

from fastapi import APIRouter

import mela
from api.context import AppSettings
from api.models.answers import Answer

router = APIRouter(tags=["about"])


class Health(Answer):
    """A sign that the application answers. It asks no other service."""

    status: str


class About(Answer):
    """The facts that a sign-in page needs."""

    version: str
    has_oidc: bool
    is_registration_open: bool


@router.get("/health")
async def get_health() -> Health:
    """Say that this process answers."""
    return Health(status="ok")


@router.get("/about")
async def get_about(settings: AppSettings) -> About:
    """Say which version this is, and how one may sign in."""
    return About(
        version=mela.__version__,
        has_oidc=settings.api.oidc_issuer is not None,
        is_registration_open=settings.api.is_registration_open,
    )

"""The streaming job: whether its queries are well, and what waits."""

from __future__ import annotations

from fastapi import APIRouter

from api.caller import Reader
from api.context import AppSettings
from api.models.data import JobNow

router = APIRouter(tags=["job"])


@router.get("/job", response_model=JobNow)
def get_job(caller: Reader, settings: AppSettings) -> JobNow:
    """Return how the streaming job is, and how far it is behind."""
    raise NotImplementedError

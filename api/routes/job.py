"""The streaming job: whether its queries are well, and what waits."""

from __future__ import annotations

from fastapi import APIRouter

from api.caller import Reader
from api.context import AppSettings
from api.models.data import JobNow, QueryNow
from services.monitoring import job_now

router = APIRouter(tags=["job"])


@router.get("/job", response_model=JobNow)
def get_job(_: Reader, settings: AppSettings) -> JobNow:
    """Return how the streaming job is, and how far it is behind."""
    found = job_now.job_now(settings)
    return JobNow(
        is_ready=found.is_ready,
        message=found.message,
        at=found.at,
        queries=tuple(
            QueryNow(
                name=one.name,
                topic=one.topic,
                is_well=one.state == "works",
                message=one.state,
                read=one.messages,
                waiting=one.waiting,
                batches=one.batches,
            )
            for one in found.queries
        ),
        scenes_by_state=dict(found.scenes_by_state),
    )

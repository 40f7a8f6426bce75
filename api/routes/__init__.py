"""The routes of `/api/v1`, a file for each group."""

from fastapi import APIRouter

from api.routes import (
    backfills,
    compare,
    data,
    events,
    health,
    job,
    runs,
    scene_runs,
    scenes,
    schedules,
    session,
    strategies,
)

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    session.router,
    scenes.router,
    scene_runs.router,
    runs.router,
    compare.router,
    strategies.router,
    data.router,
    schedules.router,
    backfills.router,
    job.router,
    events.router,
)

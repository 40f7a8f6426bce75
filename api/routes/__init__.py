"""The routes of `/api/v1`, a file for each group."""

from fastapi import APIRouter

from api.routes import (
    accounts,
    audit,
    backfills,
    candles,
    compare,
    data,
    events,
    health,
    invitations,
    job,
    oidc,
    runs,
    scene_runs,
    scenes,
    schedules,
    session,
    strategies,
    tokens,
    trading,
)

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    session.router,
    oidc.router,
    tokens.router,
    invitations.router,
    accounts.router,
    audit.router,
    scenes.router,
    scene_runs.router,
    runs.router,
    compare.router,
    strategies.router,
    data.router,
    candles.router,
    schedules.router,
    backfills.router,
    job.router,
    trading.router,
    events.router,
)

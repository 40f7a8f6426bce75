"""The routes of `/api/v1`, a file for each group."""

from fastapi import APIRouter

from api.routes import health, session

# B: add your routers here, one a line.
ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    session.router,
)

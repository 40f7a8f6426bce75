"""The application: its routes, its errors, and what surrounds every request."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.middleware.gzip import GZipMiddleware

import mela
from api import audited, problems, static, surroundings
from api.models.problem import Problem
from api.routes import ROUTERS
from mela.settings import Settings

PREFIX = "/api/v1"
PROBLEM = {
    "model": Problem,
    "content": {problems.MEDIA_TYPE: {}},
    "description": "What went wrong",
}


def create_app(settings: Settings | None = None, pages: Path = static.DIST) -> FastAPI:
    """Return the application for some settings; None reads them where the command line does.

    pages: the folder of the built pages
    """
    settings = settings or Settings()
    app = FastAPI(
        title="Mela",
        version=mela.__version__,
        summary="Backtest trading strategies: ask for scenes, follow them, read what they found.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.settings = settings
    problems.install(app)
    inside = APIRouter(prefix=PREFIX, responses={"default": PROBLEM})
    for router in ROUTERS:
        inside.include_router(router)
    app.include_router(inside)
    static.install(app, pages)
    app.add_middleware(audited.Audited, settings=settings)
    app.add_middleware(GZipMiddleware, minimum_size=1_024, compresslevel=1)
    app.add_middleware(surroundings.Surroundings, settings=settings)
    return app

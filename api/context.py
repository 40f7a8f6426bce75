"""The dependencies of routes on the application."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from mela.settings import Settings


def settings_of(request: Request) -> Settings:
    """Return the settings that the application was made with."""
    return request.app.state.settings


AppSettings = Annotated[Settings, Depends(settings_of)]

"""Scenes: check, publish, list, read, change, cancel, ask again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from api.caller import Reader, Trader
from api.context import AppSettings
from api.models.scenes import (
    Parsed,
    Rerun,
    SceneChange,
    SceneDetail,
    ScenePage,
    SceneRow,
    SceneToCheck,
    SceneToPublish,
    Validation,
    YamlToParse,
)
from services.states import SceneState

router = APIRouter(tags=["scenes"])

Words = Annotated[str | None, Query(max_length=200)]
At = Annotated[datetime | None, Query(description="an instant with its zone")]


@router.post("/scenes/validate", response_model=Validation)
def validate_scene(asked: SceneToCheck, caller: Reader, settings: AppSettings) -> Validation:
    """Say what is wrong with a scene, how many runs it has, and what it would take."""
    raise NotImplementedError


@router.post("/scenes/parse", response_model=Parsed)
def parse_scene(asked: YamlToParse, caller: Reader, settings: AppSettings) -> Parsed:
    """Read a scene written as YAML."""
    raise NotImplementedError


@router.post("/scenes", status_code=202, response_model=SceneRow)
def publish_scene(
    asked: SceneToPublish,
    caller: Trader,
    settings: AppSettings,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> SceneRow:
    """Publish a scene. The same Idempotency-Key publishes it once."""
    raise NotImplementedError


@router.get("/scenes", response_model=ScenePage)
def list_scenes(
    caller: Reader,
    settings: AppSettings,
    state: Annotated[list[SceneState] | None, Query()] = None,
    strategy: Words = None,
    instrument: Words = None,
    interval: Words = None,
    start: At = None,
    end: At = None,
    tag: Words = None,
    text: Annotated[str | None, Query(max_length=200, description="in name, note, tags")] = None,
    owner: Words = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> ScenePage:
    """List the scenes that the caller may see, the newest first.

    start, end: only scenes whose span meets [start, end)
    """
    raise NotImplementedError


@router.get("/scenes/{scene_id}", response_model=SceneDetail)
def get_scene(
    scene_id: UUID, caller: Reader, settings: AppSettings, request: Request, response: Response
) -> SceneDetail:
    """Return a scene, with how far it is. Answers 304 to an If-None-Match that still holds."""
    raise NotImplementedError


@router.patch("/scenes/{scene_id}", response_model=SceneDetail)
def change_scene(
    scene_id: UUID, asked: SceneChange, caller: Trader, settings: AppSettings
) -> SceneDetail:
    """Change the name, the note, the tags of a scene, and who sees it. Only its owner may."""
    raise NotImplementedError


@router.post("/scenes/{scene_id}/cancel", response_model=SceneDetail)
def cancel_scene(scene_id: UUID, caller: Trader, settings: AppSettings) -> SceneDetail:
    """Cancel a scene: runs that are not executed yet will not be. Its owner and admins may."""
    raise NotImplementedError


@router.post("/scenes/{scene_id}/rerun", status_code=202, response_model=Rerun)
def rerun_scene(scene_id: UUID, caller: Trader, settings: AppSettings) -> Rerun:
    """Publish a scene again under a new id. Answers that still hold come from the store."""
    raise NotImplementedError

"""The stream of events: one for all that a browser watches."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import StreamingResponse

from api.caller import Reader
from api.context import AppSettings
from api.models.events import SceneEvent, StreamOpened, Watching

router = APIRouter(tags=["events"])


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "events `opened` (StreamOpened), `scene` (SceneEvent) and `gone`",
            "content": {"text/event-stream": {"schema": SceneEvent.model_json_schema()}},
        }
    },
)
async def stream_events(
    request: Request,
    caller: Reader,
    settings: AppSettings,
    scene: Annotated[list[UUID] | None, Query(max_length=200)] = None,
    all: Annotated[bool, Query(description="every scene that the caller may see")] = False,
    last_event_id: Annotated[str | None, Header(max_length=8_000)] = None,
) -> StreamingResponse:
    """Tell the progress of scenes as it happens, beginning with how they are now."""
    raise NotImplementedError


@router.post("/events/{stream}/watch", response_model=StreamOpened)
async def watch_events(
    stream: Annotated[str, Path(max_length=100)],
    asked: Watching,
    caller: Reader,
    settings: AppSettings,
) -> StreamOpened:
    """Change what an open stream watches. Only who opened it may."""
    raise NotImplementedError

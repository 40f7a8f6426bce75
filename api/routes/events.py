"""The stream of events: one for all that a browser watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from api.caller import Reader
from api.context import AppSettings
from api.events import Gone, Hub, News, Stream, recently
from api.models.events import SceneEvent, StreamOpened, Watching
from api.models.trading import SessionEvent
from mela.errors import InputInvalid
from mela.instants import from_ms
from mela.settings import Settings
from services.accounts import sessions
from services.scenes import scene_events
from services.scenes.scene_events import MOST_WATCHED
from services.trading.answers import SessionTold

router = APIRouter(tags=["events"])

RETRY_MS = 1_000
BEAT_S = 15.0
DIGITS = 15  # of an id: milliseconds until the year 33658


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "events `opened` (StreamOpened), `scene` (SceneEvent), `session` "
            "(SessionEvent), `gone` (scene_id or session_id: the caller may see it no longer), "
            "`signed_out`, and `beat` after 15 s without news",
            "content": {"text/event-stream": {"schema": SceneEvent.model_json_schema()}},
        }
    },
)
async def stream_events(
    request: Request,
    caller: Reader,
    settings: AppSettings,
    scene: Annotated[list[UUID] | None, Query(max_length=150)] = None,
    all: Annotated[bool, Query(description="every scene that the caller may see")] = False,
    trading: Annotated[bool, Query(description="every trading session to be seen")] = False,
    last_event_id: Annotated[str | None, Header(max_length=8_000)] = None,
) -> StreamingResponse:
    """Tell of scenes and trading sessions as it happens, beginning with how they are now.

    Versions of each only rise, also over a new connection. The id of an event is the instant in
    UTC milliseconds up to which a stream of all has heard; sent back as Last-Event-ID, it leaves
    out at first what ended before.
    """
    if scene and len(scene) > MOST_WATCHED:
        raise InputInvalid("scene", f"expected at most {MOST_WATCHED}, but found {len(scene)}.")
    stream = Stream(caller, scene or (), all_=all, trading=trading, loop=asyncio.get_running_loop())
    hub = hub_of(request.app.state, settings)
    hub.join(stream)
    return StreamingResponse(
        _told(hub, stream, settings, _since(last_event_id)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.post("/events/{stream}/watch", response_model=StreamOpened)
def watch_events(
    stream: Annotated[str, Path(max_length=100)],
    asked: Watching,
    caller: Reader,
    settings: AppSettings,
) -> StreamOpened:
    """Change what an open stream watches. Only who opened it may: of others it is not changed."""
    found = scene_events.tell_watch(
        settings, caller, stream, asked.scenes, all_=asked.all, trading=asked.trading
    )
    return StreamOpened(stream=stream, all=found.all, scenes=found.scenes, trading=found.trading)


def hub_of(state: State, settings: Settings) -> Hub:
    """Return the hub of an application, which all its streams share."""
    if not hasattr(state, "hub"):
        state.hub = Hub(settings)
    return state.hub


async def _told(
    hub: Hub, stream: Stream, settings: Settings, since: datetime
) -> AsyncIterator[str]:
    try:
        opened = StreamOpened(
            stream=stream.id,
            all=stream.all,
            scenes=tuple(stream.scenes),
            trading=stream.trading,
        )
        yield f"retry: {RETRY_MS}\n"
        yield _event("opened", opened.model_dump_json())
        await run_in_threadpool(hub.show, stream, since)
        asked_at = time.monotonic()
        while True:
            if await stream.wait(BEAT_S):
                at = int(time.time() * 1000)
                for key, news in stream.take():
                    yield _told_event(key, news, at)
            else:
                yield _event("beat", "{}")  # browsers do not show comments to a page
            if time.monotonic() - asked_at >= BEAT_S:
                asked_at = time.monotonic()
                if not await run_in_threadpool(sessions.is_alive, settings, stream.caller):
                    yield _event("signed_out", "{}")
                    return
    finally:
        hub.leave(stream)


def _told_event(key: UUID, news: News | Gone, at: int) -> str:
    if isinstance(news, Gone):
        return _event("gone", f'{{"{"session" if news.is_session else "scene"}_id":"{key}"}}')
    if isinstance(news, SessionTold):
        return _event("session", SessionEvent.of(news).model_dump_json(), at)
    return _event("scene", SceneEvent.of(news).model_dump_json(), at)


def _event(name: str, data: str, at: int | None = None) -> str:
    head = "" if at is None else f"id: {at}\n"
    return f"{head}event: {name}\ndata: {data}\n\n"


def _since(last_event_id: str | None) -> datetime:
    """Return the instant from which a stream of all hears at first, a minute before the id's."""
    if last_event_id is None or not last_event_id.isdecimal() or len(last_event_id) > DIGITS:
        return recently()
    return from_ms(int(last_event_id)) - timedelta(minutes=1)

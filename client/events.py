"""Follow a scene by the API's stream of events, through cuts and restarts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from uuid import UUID

import httpx
from httpx_sse import EventSource, SSEError

from api.models.events import SceneEvent
from api.models.scenes import SceneDetail
from client.http import Api
from client.platform import ENDED
from mela.errors import NotFound, SourceUnavailable

SILENCE_S = 45.0  # of a stream; the API sends a beat after 15 s without news
EVENT, GONE = "scene", "gone"


def follow(api: Api, scene_id: UUID, wait_s: float | None = None) -> Iterator[SceneEvent]:
    """Yield how far a scene is now, then each step forward, until it has ended.

    wait_s: how long to wait for its end; None for as long as it takes
    Versions only rise: what a new connection tells again is passed over.
    Raises NotFound for a scene that is not there, or not for the caller to see, and
    SourceUnavailable where the API does not answer for longer than its patience.
    """
    until = math.inf if wait_s is None else time.monotonic() + wait_s
    version, last_id = -1, ""
    tries = api.tries()
    for _ in tries:
        try:
            for event, event_id in _connected(api, scene_id, last_id, until):
                last_id = event_id or last_id
                if event.version > version:
                    version = event.version
                    tries.reset()
                    yield event
                if event.state in ENDED or time.monotonic() >= until:
                    return
        except (httpx.TransportError, SSEError, SourceUnavailable) as error:
            if time.monotonic() >= until and version >= 0:
                return
            api.note_away(error)
    raise api.unavailable()


def _connected(
    api: Api, scene_id: UUID, last_id: str, until: float
) -> Iterator[tuple[SceneEvent, str]]:
    """Yield the events of one connection, each with its id."""
    headers = {"Accept": "text/event-stream"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    silence_s = min(SILENCE_S, max(0.1, until - time.monotonic()))
    with api.stream("/events", headers, silence_s, scene=str(scene_id)) as response:
        api.check_stream(response)
        now = api.read(SceneDetail, f"/scenes/{scene_id}")  # raises NotFound; nothing is missed
        yield event_of(now), ""
        for one in EventSource(response).iter_sse():
            if one.event == GONE:
                raise NotFound(f"there is no scene {scene_id}.")
            if one.event != EVENT:
                continue
            event = SceneEvent.model_validate_json(one.data)
            if event.scene_id == scene_id:
                yield event, one.id


def event_of(scene: SceneDetail) -> SceneEvent:
    """Return how far a scene is, as its events say it."""
    return SceneEvent(**{name: getattr(scene, name) for name in SceneEvent.model_fields})

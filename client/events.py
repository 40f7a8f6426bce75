"""Follow a scene by the API's stream of events, through cuts and restarts."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import httpx
from httpx_sse import EventSource, SSEError

from api.models.events import SceneEvent
from api.models.scenes import SceneDetail
from client.http import Api
from client.platform import ENDED
from mela.errors import NotFound, SourceUnavailable

EVENT, GONE = "scene", "gone"


def follow(api: Api, scene_id: UUID) -> Iterator[SceneEvent]:
    """Yield how far a scene is now, then each step forward, until it has ended.

    Versions only rise: what a new connection tells again is passed over.
    Raises NotFound for a scene that is not there, or not for the caller to see, and
    SourceUnavailable where the API does not answer for longer than its patience.
    """
    version, last_id = -1, ""
    tries = api.tries()
    for _ in tries:
        try:
            for event, event_id in _connected(api, scene_id, last_id):
                last_id = event_id or last_id
                if event.version > version:
                    version = event.version
                    tries.reset()
                    yield event
                if event.state in ENDED:
                    return
        except (httpx.TransportError, SSEError, SourceUnavailable) as error:
            api.note_away(error)
    raise api.unavailable()


def _connected(api: Api, scene_id: UUID, last_id: str) -> Iterator[tuple[SceneEvent, str]]:
    """Yield the events of one connection, each with its id."""
    headers = {"Accept": "text/event-stream"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    with api.stream("/events", headers, scene=str(scene_id)) as response:
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

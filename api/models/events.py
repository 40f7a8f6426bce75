"""Events of scenes."""

from __future__ import annotations

from uuid import UUID

from pydantic import ConfigDict, Field

from api.models.answers import Answer, Asked
from api.models.scenes import SceneStateName


class SceneEvent(Answer):
    """The progress of a scene: the data of the event `scene`. version: it only rises."""

    scene_id: UUID
    version: int
    state: SceneStateName
    name: str | None
    runs: int
    skipped: int
    recorded: int
    cached: int
    failed: int
    cancelled: int
    best: float | None
    rate_per_s: float | None
    remaining_s: float | None


class StreamOpened(Answer):
    """The data of the event `opened`, the first of a stream. stream: for POST …/watch."""

    stream: str
    all: bool
    scenes: tuple[UUID, ...]
    trading: bool


class Watching(Asked):
    """The subjects that a stream watches from now on: all or some scenes, and trading sessions."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"scenes": ["3f0c0d6e-58a5-4c1e-8d3e-0c1f4d3d7b1a"]}]}
    )

    scenes: tuple[UUID, ...] = Field(default=(), max_length=150)
    all: bool = False
    trading: bool = False

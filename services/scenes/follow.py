"""Follow scenes from published to finished, as a stream of typed progress events.

A caller may attach at any time: `follow_scene` begins with the state that the warehouse knows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from mela.errors import MessageInvalid, NotFound, SourceUnavailable
from mela.messages import PROGRESS, Progress, State
from mela.settings import Settings
from messaging.codec import decode_progress
from messaging.consumer import poll, tail
from services.scenes.stored_scenes import stored_scene
from services.scenes.trainings import progress as how_far
from warehouse import trainings
from warehouse.database import transaction
from warehouse.results import finder

ENDS = frozenset({State.REJECTED, State.FINISHED, State.CANCELLED})
SILENCE_S = 300.0  # a scene that nobody speaks of for so long is not being worked on
UNKNOWN_S = 30.0  # how long after its publication the planner may take to read a scene


class Follower(AbstractContextManager["Follower"]):
    """Reads `mela.progress` from its end at the moment of construction.

    Create it before publishing, so that no message is missed. Close it, or use it in a `with`.
    """

    def __init__(self, settings: Settings, scene_ids: Collection[UUID | None]) -> None:
        self._wanted = set(scene_ids)
        self._furthest: dict[UUID, Progress] = {}
        self.recorded_at: float | None = None  # time.monotonic() when all runs were recorded
        self._consumer = tail(settings, PROGRESS)

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the topic."""
        self._consumer.close()

    def messages(
        self, silence_s: float = SILENCE_S, *, cancel: threading.Event | None = None
    ) -> Iterator[Progress]:
        """Yield each step forward of the scenes until all have ended, or `cancel` is set.

        Raises SourceUnavailable after `silence_s` seconds without a step.
        """
        heard_at = time.monotonic()
        while not self._have_all_ended() and not (cancel and cancel.is_set()):
            value = poll(self._consumer)
            if value is None:
                if time.monotonic() - heard_at > silence_s:
                    raise SourceUnavailable(
                        f"nothing was heard of the scene for {silence_s:.0f} s. "
                        "`mela status` tells whether the streaming job runs."
                    )
                continue
            try:
                progress = decode_progress(value)
            except MessageInvalid:  # anybody can write there; the job sends it to mela.rejected
                continue
            if self.note(progress):
                heard_at = time.monotonic()
                yield progress

    def note(self, progress: Progress) -> bool:
        """Remember a progress; return whether it brings one of the scenes further."""
        before = self._furthest.get(progress.scene_id)
        if progress.scene_id not in self._wanted or (before and before.place >= progress.place):
            return False
        self._furthest[progress.scene_id] = progress
        if progress.recorded is not None and progress.recorded == progress.runs:
            self.recorded_at = self.recorded_at or time.monotonic()
        return True

    def to_the_end(self) -> Progress:
        """Wait until the last scene has ended and return its last message."""
        return list(self.messages())[-1]

    def _have_all_ended(self) -> bool:
        return all(scene is not None and self._has_ended(scene) for scene in self._wanted)

    def _has_ended(self, scene: UUID) -> bool:
        last = self._furthest.get(scene)
        return last is not None and last.state in ENDS


def follow_scene(
    scene_id: UUID,
    settings: Settings,
    *,
    silence_s: float = SILENCE_S,
    cancel: threading.Event | None = None,
) -> Iterator[Progress]:
    """Yield how far a scene is now, then each step forward, until it ends or `cancel` is set.

    Any number of callers may follow one scene, from any moment on: one that lost its connection
    asks again with the same id. Closing the iterator leaves the topic.
    Raises NotFound for an unknown scene of which nothing is heard for half a minute, and
    SourceUnavailable if Kafka does not answer, or a known scene is silent for `silence_s` seconds.
    """
    with Follower(settings, [scene_id]) as follower:  # first, so that no step is lost in between
        try:
            now = progress_of(scene_id, settings)
        except NotFound as error:
            yield from _awaited(follower, error, silence_s, cancel)
            return
        if now is not None:
            follower.note(now)
            yield now
        yield from follower.messages(silence_s, cancel=cancel)


def _awaited(
    follower: Follower, unknown: NotFound, silence_s: float, cancel: threading.Event | None
) -> Iterator[Progress]:
    """Yield the steps of a scene that was perhaps sent a moment ago; else raise `unknown`."""
    is_known = False
    try:
        for progress in follower.messages(min(silence_s, UNKNOWN_S), cancel=cancel):
            is_known = True
            yield progress
            break
    except SourceUnavailable:
        raise unknown from None
    if is_known:
        yield from follower.messages(silence_s, cancel=cancel)


def progress_of(scene_id: UUID, settings: Settings) -> Progress | None:
    """Return how far a scene is, or None if it is not planned yet. Raises NotFound."""
    with transaction(settings) as connection:
        scene = stored_scene(connection, scene_id)
        counted = finder.progress(connection, [str(scene_id)])[0]
        training = trainings.get(connection, scene_id)
    if scene.status == "received":
        return None
    state = State(scene.status)
    if training is not None and state is not State.REJECTED:
        return how_far(training, scene.updated_at, scene.ending.training)
    fields: dict[str, Any] = {"scene_id": scene_id, "at": scene.updated_at}
    if state is State.REJECTED:
        names = ("code", "field", "sentence")
        return Progress(
            state=state, **fields, **{name: getattr(scene, f"rejection_{name}") for name in names}
        )
    if state is State.PLANNED and counted.recorded:
        state = State.RECORDED
    fields |= {name: getattr(counted, name) for name in ("runs", "skipped", "cached", "recorded")}
    if state is State.CANCELLED:
        fields["cancelled"] = counted.cancelled
    if state is State.FINISHED:
        ending = scene.ending
        fields |= {"best": ending.best, "report": ending.report_document()}
        fields |= {"warnings": tuple(warning.document() for warning in ending.warnings)}
        fields["mlflow_run_id"] = scene.mlflow_run_id
    return Progress(state=state, **fields)

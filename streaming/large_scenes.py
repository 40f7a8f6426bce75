"""Large scenes: planned a slice at a time beside the query `plan`, with few chunks on their way.

A scene of a hundred thousand runs must not keep others waiting: neither those behind it on
`mela.scenes`, nor those whose chunks would lie behind all of its chunks on `mela.runs`. The query
records such a scene and hands it over. A thread of the job sends slices of all large scenes in
turn, and goes on when chunks that it sent before were executed. So a small scene waits for a few
chunks at most, large scenes share the machine, and a cancelled one stops at once. Users have turns,
and so have the scenes of each: who publishes many gets no more than who publishes one.

The warehouse has the thread's work (`ops.scene`: received, not planned), so that a job that is
killed takes it up again. A slice that is sent twice counts once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import orjson
import structlog

from backtests.strategy import Catalogue
from mela.messages import MessagePosition
from mela.settings import Settings
from messaging.publisher import Publisher, publisher_of
from streaming import strategies
from streaming.beside import keep_on
from streaming.plan import SceneMessage, SceneRequest, give_up, read_scene, send_planned
from streaming.poison import contained
from streaming.slices import Answers, Slice, chunks_of, recorded_answers, send_rest, slices
from warehouse.database import transaction
from warehouse.scenes import owners
from warehouse.scenes import records as scenes

log = structlog.get_logger()
# Of the scenes that are planned at the same time, unless each is the only one of its user: a plan
# takes memory for each of its variants, and none for what a grid makes of them.
MOST_VARIANTS = 500_000
LOOKED_UP = 2  # slices of a scene whose stored answers are looked up before they are sent
STALE_S = 60.0  # after which chunks that nobody answered are no longer waited for


class ChunksAhead:
    """Counts the chunks of large scenes that were sent and not executed yet; for many threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._ahead: dict[str, int] = {}
        self._changed_at = time.monotonic()
        self.changed = threading.Event()

    def sent(self, scene_id: str, chunks: int) -> None:
        """Count chunks that were sent."""
        with self._lock:
            self._ahead[scene_id] = self._ahead.get(scene_id, 0) + chunks
            self._changed_at = time.monotonic()

    def executed(self, chunks: Mapping[str, int]) -> None:
        """Count chunks that were executed: scene → how many. Other scenes may be among them."""
        with self._lock:
            for scene_id in chunks.keys() & self._ahead.keys():
                left = self._ahead[scene_id] - chunks[scene_id]
                self._ahead[scene_id] = max(left, 0)
            self._changed_at = time.monotonic()
        self.changed.set()

    def forget(self, scene_id: str) -> None:
        """Count a scene no more: all of it was sent, or it is not wanted."""
        with self._lock:
            self._ahead.pop(scene_id, None)
        self.changed.set()

    def room(self) -> int:
        """Return how many more chunks may be sent now."""
        with self._lock:
            if time.monotonic() - self._changed_at > STALE_S:  # a chunk may have been refused
                self._ahead = dict.fromkeys(self._ahead, 0)
            return self._most - sum(self._ahead.values())


@dataclass(slots=True)
class _Work:
    """A large scene that is being planned.

    owner: the user whose scene it is; None where nobody is known
    next: slices whose stored answers are being looked up, in the order in which they are sent
    is_spelled: whether its last slice was taken; error: why its runs could not be spelled out
    """

    message: SceneMessage
    request: SceneRequest
    catalogue: Catalogue
    slices: Iterator[Slice]
    owner: int | None
    next: deque[tuple[Slice, Future[Answers]]] = field(default_factory=deque)
    is_spelled: bool = False
    error: Exception | None = None

    @property
    def scene_id(self) -> str:
        return str(self.request.scene_id)

    @property
    def variants(self) -> int:
        """Return how many variants its plan holds: those of each dimension, not their products."""
        return sum(len(group) for group in self.request.accepted_plan.groups)


class LargeScenes:
    """Plans large scenes in turn. `run` belongs to a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._most = settings.spark.chunk_runs
        self.ahead = ChunksAhead(settings.spark.chunks_ahead)
        self._pool = ThreadPoolExecutor(LOOKED_UP, thread_name_prefix="answers")
        self._lock = threading.Lock()
        self._work: dict[str, _Work] = {}
        self._must_take_up = True  # at first, and when there is room for scenes that were left
        self._left = set[int | None]()  # users of whom a scene waits in the warehouse

    def hand_over(self, message: SceneMessage, request: SceneRequest, catalogue: Catalogue) -> bool:
        """Take a scene that is recorded as received, if it is large; tell whether it is.

        Nothing happens if it is here already.
        """
        if request.plan is None or request.plan.runs <= self._most:
            return False
        scene_id = str(request.scene_id)
        chunks = chunks_of(request.plan, scene_id, self._settings)
        parts = slices(chunks, self._settings)
        with transaction(self._settings) as connection:
            found = owners.known(connection, [request.accepted_id])
        owner = found[request.accepted_id].user_id if found else None
        work = _Work(message, request, catalogue, parts, owner)
        with self._lock:
            held = sum(one.variants for one in self._work.values())
            has_one = any(one.owner == owner for one in self._work.values())
            if has_one and held + work.variants > MOST_VARIANTS:
                self._left.add(owner)  # the warehouse keeps the scene
            else:
                self._work.setdefault(scene_id, work)
        self.ahead.changed.set()
        return True

    def run(self, stop: threading.Event) -> None:
        """Plan what is handed over until told to stop. A service that is away is waited for."""
        keep_on(self.step, stop, self.ahead.changed, "large_scenes")

    def step(self) -> bool:
        """Send a slice of a large scene of each user, as far as there is room; tell if any was.

        Raises where a service is away.
        """
        if self._must_take_up:
            self._must_take_up = False
            try:
                self._take_up()
            except Exception:
                self._must_take_up = True
                raise
        has_sent = False
        publisher = publisher_of(self._settings, owner="large scenes")
        for work in self._next_of_each():
            if self.ahead.room() <= 0:
                break
            has_sent = True
            self._goes_last(work)
            contained(
                "scene",
                partial(self._send, work, publisher),
                partial(self._give_up, work, publisher),
                scene_id=work.scene_id,
            )
        return has_sent

    def _next_of_each(self) -> list[_Work]:
        """Return of each user the scene whose turn it is, first those that waited longest."""
        with self._lock:
            found: dict[int | None, _Work] = {}
            for work in self._work.values():
                found.setdefault(work.owner, work)
            return list(found.values())

    def _goes_last(self, work: _Work) -> None:
        with self._lock:
            self._work[work.scene_id] = self._work.pop(work.scene_id)

    def _take_up(self) -> None:
        """Hand over what was received and not planned to the end, by a job before this one too."""
        catalogue = strategies.current(self._settings)
        with transaction(self._settings) as connection:
            found = scenes.unplanned(connection, more_runs_than=self._most)
        for scene in found:
            if scene.scene_id in self._work or scene.user_id in self._left:
                continue
            source = MessagePosition(scene.topic, scene.partition or 0, scene.offset or 0)
            body = orjson.dumps({**scene.content, "scene_id": scene.scene_id})
            message = SceneMessage(body, source)
            request = read_scene(message, self._settings, catalogue)
            if request.plan is None:  # its strategy is gone, say
                publisher = publisher_of(self._settings, owner="large scenes")
                give_up(message, self._settings, publisher, ValueError("it is valid no more"))
            else:
                self.hand_over(message, request, catalogue)

    def _send(self, work: _Work, publisher: Publisher) -> None:
        """Send the next slice of a scene, or its end. May be repeated."""
        assert work.request.scene_id is not None  # noqa: S101  what is not refused is whole
        with transaction(self._settings) as connection:
            is_unwanted = bool(scenes.cancelled(connection, [work.scene_id]))
        if is_unwanted:
            self._drop(work)
            return
        self._look_ahead(work)
        if work.next:
            part, answers = work.next[0]
            try:
                stored = answers.result()
            except Exception:
                work.next[0] = part, self._looked_up(part, work.catalogue)
                raise
            chunks = send_rest(part, stored, publisher, work.catalogue)
            publisher.flush()
            self.ahead.sent(work.scene_id, chunks)
            work.next.popleft()
        elif work.error is not None:
            self._give_up(work, publisher, work.error)
        else:
            send_planned([work.request], self._settings, publisher)
            self._drop(work)

    def _look_ahead(self, work: _Work) -> None:
        """Have the next slices looked up, while the one before them is sent."""
        while len(work.next) < LOOKED_UP and not work.is_spelled:
            try:
                part = next(work.slices, None)
            except Exception as error:
                log.exception("scene_not_expanded", scene_id=work.scene_id)
                work.error, part = error, None  # asked again it would end, and runs be missing
            if part is None:
                work.is_spelled = True
            else:
                work.next.append((part, self._looked_up(part, work.catalogue)))

    def _looked_up(self, part: Slice, catalogue: Catalogue) -> Future[Answers]:
        return self._pool.submit(recorded_answers, part, self._settings, catalogue)

    def _give_up(self, work: _Work, publisher: Publisher, error: Exception) -> None:
        give_up(work.message, self._settings, publisher, error)
        self._drop(work)

    def _drop(self, work: _Work) -> None:
        with self._lock:
            self._work.pop(work.scene_id, None)
            self._must_take_up |= bool(self._left)
            self._left.clear()
        self.ahead.forget(work.scene_id)

"""Searches that learn, beside the queries: ask for a batch, and for the next when it is recorded.

The way of a batch is that of all runs: chunks on `mela.runs`, results, rows. Messages on
`mela.progress` wake the search: `planned` for its first batch, `recorded` for the next ones. The
warehouse has the work (`ops.scene`: planned, not ended; `ops.scene_run`: known results), so that a
job that is killed takes it up again. Scenes have turns, a fraction of a second each, and few chunks
on their way, so that none waits long for another.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from mela.messages import Progress, State
from mela.settings import Settings
from messaging.publisher import Publisher, publisher_of
from streaming import conclude, strategies
from streaming.beside import keep_on
from streaming.large_scenes import ChunksAhead
from streaming.poison import contained, is_away
from streaming.record import send_progress
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import learning_scenes
from warehouse.scenes import records as scenes

if TYPE_CHECKING:
    from streaming.learned_search import LearnedSearch

log = structlog.get_logger()
TURN_S = 0.5
MOST_ENDED = 1_000
MOST_SCENES = 32  # whose searches are held at the same time; the others wait for their turn


class Learning:
    """Asks and tells for all scenes that learn. `run` belongs to a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.ahead = ChunksAhead(settings.spark.chunks_ahead)
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._heard: set[str] = set()  # scenes that may be new, or may have moved
        self._searches: dict[str, LearnedSearch] = {}
        self._waiting: dict[str, None] = {}  # known to learn, and not held
        self._ended: OrderedDict[str, None] = OrderedDict()  # `conclude` has not ended them yet
        self._must_take_up = True

    def wake(self, scene_ids: Iterable[str]) -> None:
        """Look at scenes of which something was said; any scene may be among them."""
        with self._lock:
            self._heard.update(scene_ids)
        self._changed.set()

    def recorded(self, scene_ids: Iterable[str]) -> None:
        """Look at those of some scenes that are searching: they need not wait for `conclude`."""
        if known := [one for one in scene_ids if one in self._searches]:
            self.wake(known)

    def executed(self, chunks: Mapping[str, int]) -> None:
        """Count chunks that were executed: scene → how many. Other scenes may be among them."""
        self.ahead.executed(chunks)

    def run(self, stop: threading.Event) -> None:
        """Ask and tell until told to stop. A service that is away is waited for."""
        keep_on(self.step, stop, self._changed, "searches")

    def step(self) -> bool:
        """Give each scene that was heard of a turn; tell whether any moved.

        Raises where a service is away.
        """
        self._take_up()
        has_moved = False
        publisher = publisher_of(self._settings, owner="learning")
        for scene_id in list(self._searches):
            moved: list[bool] = []
            contained(
                "scene",
                partial(self._turn, scene_id, publisher, moved),
                partial(self._give_up, scene_id, publisher),
                scene_id=scene_id,
            )
            has_moved |= any(moved)
        return has_moved

    def _take_up(self) -> None:
        """Hold the searches that are under way, of a job before this one too."""
        with self._lock:
            heard, self._heard = self._heard, set[str]()
        try:
            with transaction(self._settings) as connection:
                if self._must_take_up:
                    self._waiting |= dict.fromkeys(learning_scenes.under_way(connection))
                    self._must_take_up = False
                asked = heard - self._searches.keys() - self._ended.keys()
                new = learning_scenes.among(connection, asked) if asked else {}
        except Exception:
            with self._lock:  # looked at again in a moment; waking itself, the thread would spin
                self._heard |= heard
            raise
        self._waiting |= dict.fromkeys(one for one, is_planned in new.items() if is_planned)
        with self._lock:  # `planned` is stored in a moment
            self._heard.update(one for one, is_planned in new.items() if not is_planned)
        while self._waiting and len(self._searches) < MOST_SCENES:
            self._hold(next(iter(self._waiting)))

    def _hold(self, scene_id: str) -> None:
        from streaming.learned_search import LearnedSearch  # it takes a second to load Optuna

        with transaction(self._settings) as connection:
            stored = scenes.get(connection, scene_id)
        if stored is not None and stored.status == "planned":
            try:
                self._searches[scene_id] = LearnedSearch(stored, self._settings)
            except Exception as error:  # what is stored was valid once
                log.exception("search_not_understood", scene_id=scene_id)
                self._give_up(scene_id, publisher_of(self._settings, owner="learning"), error)
        del self._waiting[scene_id]

    def _turn(self, scene_id: str, publisher: Publisher, moved: list[bool]) -> None:
        """Bring one search further, as far as is known now. May be repeated."""
        with transaction(self._settings) as connection:
            is_wanted = learning_scenes.among(connection, [scene_id])
        if not is_wanted:
            self._drop(scene_id)
            return
        search = self._searches[scene_id]
        try:
            moved.append(self._advance(search, publisher))
        except Exception as error:
            if not is_away(error):  # a study that broke off in the middle does not go on
                self._searches[scene_id] = search.anew()
            raise

    def _advance(self, search: LearnedSearch, publisher: Publisher) -> bool:
        """Ask and tell until nothing more is known, or the turn is over; tell whether it moved."""
        scene_id, catalogue = search.scene_id, strategies.current(self._settings)
        has_moved = False
        until = time.monotonic() + TURN_S
        while not search.has_ended and time.monotonic() < until:
            has_learned = search.learn(catalogue, until)
            sent = search.send(self.ahead.room(), publisher, catalogue)
            if sent:
                self.ahead.sent(scene_id, sent)
                self._say(search, publisher)
            if not has_learned and sent is None:
                break
            has_moved = True
        if search.has_ended:
            search.end()
        if search.must_say:
            send_progress({scene_id}, self._settings, publisher)
            search.must_say = False
        if search.has_ended:
            log.info("search_ended", runs=search.asked, skipped=search.refused)
            self._ended[scene_id] = None
            if len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)
            self._drop(scene_id)
        return has_moved

    def _say(self, search: LearnedSearch, publisher: Publisher) -> None:
        """Say which batch was sent, of how many."""
        with transaction(self._settings) as connection:
            [counted] = results.progress(connection, [search.scene_id])
        publisher.progress(
            Progress(
                scene_id=UUID(search.scene_id),
                state=State.RECORDED,
                at=datetime.now(UTC),
                runs=counted.runs,
                skipped=counted.skipped,
                cached=counted.cached,
                recorded=counted.recorded,
                batch=search.batch,
                batches=search.batches,
            )
        )
        publisher.flush()
        log.info("batch_sent", batch=search.batch, of=search.batches, recorded=counted.recorded)

    def _give_up(self, scene_id: str, publisher: Publisher, error: Exception) -> None:
        """End a scene whose search cannot go on, with what it has."""
        with transaction(self._settings) as connection:
            learning_scenes.close(connection, scene_id)
        conclude.give_up(scene_id, self._settings, publisher, error)
        self._drop(scene_id)

    def _drop(self, scene_id: str) -> None:
        self._searches.pop(scene_id, None)
        self.ahead.forget(scene_id)

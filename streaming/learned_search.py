"""One scene whose search learns (kind tpe): which runs to ask for next, by what was recorded.

The state is in the warehouse: the answers to the scene's runs. Asking again from the beginning,
and telling what is recorded, leads to the same questions (`backtests.search.tpe`), so that a search
that was lost with its process goes on at the batch that it had come to. A batch that is sent again
counts once, as every run does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain

from backtests.search.tpe import Study, worth_of
from backtests.strategy import Catalogue
from mela.errors import MelaError
from mela.grid import window_variants
from mela.messages import RunChunk
from mela.run import Run
from mela.scene import Scene, parse_scene
from mela.search import TpeSearch
from mela.settings import Settings
from messaging.publisher import Publisher
from streaming.slices import chunk_runs, send_slice, slices
from warehouse.database import transaction
from warehouse.scenes import learning_scenes
from warehouse.scenes.stored_scene import StoredScene

MOST_HELD = 20_000  # trials of the studies of one scene that are open at the same time


class SearchChanged(MelaError):
    """The sampler no longer asks what it asked before, so that the search cannot go on."""


class LearnedSearch:
    """The studies of one scene, each on one instrument and window, opened a few at a time.

    batches: how many there are in all studies, at most
    must_say: nobody else will say how far the scene is: all that was asked for since was stored
    """

    def __init__(self, stored: StoredScene, settings: Settings) -> None:
        """Begin, or begin again. Raises TypeError for a scene that does not learn."""
        scene = parse_scene(stored.content)
        search = scene.search
        if not isinstance(search, TpeSearch):
            raise TypeError(f"expected a search of kind tpe, but found {search!r:.100}")
        self.scene_id, self._scene, self._settings = stored.scene_id, scene, settings
        self._stored = stored
        self._trials, self._batch = search.trials, search.batch
        self._each = -(-search.trials // search.batch)  # batches of a study
        studies = len(scene.instruments) * len(window_variants(scene))
        self.batches, self._planned = studies * self._each, studies * search.trials
        self._unopened = _studies(scene)
        self._is_all_open = self._is_settled = False
        self._open: list[Study] = []
        self._unsent: list[Study] = []
        self._keys: list[str] = []  # of the runs of studies that have ended
        self._ended, self._refused = 0, 0
        self.must_say = True  # what was recorded before this process began may not be said yet

    def anew(self) -> LearnedSearch:
        """Return this search from its beginning."""
        return LearnedSearch(self._stored, self._settings)

    @property
    def batch(self) -> int:
        """Return how many batches were asked for, so far."""
        now = sum(-(-one.told // self._batch) + bool(one.waiting) for one in self._open)
        return self._ended * self._each + now

    @property
    def refused(self) -> int:
        """Return how many sets broke a rule of the strategy, so far."""
        return self._refused + sum(one.refused for one in self._open)

    @property
    def asked(self) -> int:
        """Return how many runs were asked for, so far."""
        return len(self._keys) + sum(len(one.keys) for one in self._open)

    @property
    def has_ended(self) -> bool:
        """Tell whether all runs were asked for and told."""
        return self._is_all_open and not self._open

    @property
    def unsent(self) -> list[Run]:
        """Return the runs that were asked for and not sent, those of one candle series together."""
        return _runs(self._unsent)

    def learn(self, catalogue: Catalogue, until: float) -> bool:
        """Tell the studies what is recorded, and ask for what comes next; tell whether any moved.

        until: by time.monotonic(), when to leave the rest for another turn
        Raises where a service is away, and SearchChanged.
        """
        is_whole, closed = self._ask(catalogue, until)
        if self._tell() or closed or not is_whole:
            return True
        if not self._is_settled:
            self._refuse_strangers()
            self._is_settled = True
        return False

    def send(self, room: int, publisher: Publisher, catalogue: Catalogue) -> int | None:
        """Send runs that were asked for and return in how many chunks; None where nothing waits.

        Runs whose answers are stored are recorded instead. May be repeated. Raises where a service
        is away.
        room: how many chunks may be sent, about
        """
        if not self._is_settled or not self._unsent or room <= 0:
            return None
        spark = self._settings.spark
        part = self._unsent[: max(1, room * spark.chunk_runs // self._batch)]
        with transaction(self._settings) as connection:  # first: whoever concludes reads it
            learning_scenes.count(connection, self.scene_id, skipped=self.refused)
        sent = sum(
            send_slice(some, self._settings, publisher, catalogue)
            for some in slices(self._chunks(part), self._settings)
        )
        publisher.flush()
        self._unsent = self._unsent[len(part) :]
        self.must_say = not sent and self.must_say | bool(part)
        return sent

    def end(self) -> None:
        """Store how many runs the search has asked for, once it `has_ended`."""
        with transaction(self._settings) as connection:
            learning_scenes.count(connection, self.scene_id, skipped=self.refused, runs=self.asked)
        self.must_say |= self.asked < self._planned  # `record` counts up to what was planned

    def _ask(self, catalogue: Catalogue, until: float) -> tuple[bool, int]:
        """Ask each study that has no runs waiting; tell whether all were, and how many ended."""
        self._open_more()
        ended: list[Study] = []
        is_whole = True
        for study in self._open:
            if study.waiting:
                continue
            if time.monotonic() > until:
                is_whole = False
                break
            (self._unsent if study.ask(catalogue) else ended).append(study)
        for study in ended:
            self._open.remove(study)
            self._ended += 1
            self._refused += study.refused
            self._keys += study.keys
        return is_whole, len(ended)

    def _open_more(self) -> None:
        most = max(1, MOST_HELD // self._trials)
        while not self._is_all_open and len(self._open) < most:
            study = next(self._unopened, None)
            if study is None:
                self._is_all_open = True
            else:
                self._open.append(study)

    def _tell(self) -> bool:
        """Tell the studies whose batch is recorded to the last run; tell whether any was."""
        keys = [key for one in self._open for key in one.waiting]
        if not keys:
            return False
        with transaction(self._settings) as connection:
            found = learning_scenes.worths(connection, self.scene_id, keys, self._scene.rank_by)
        worth = {key: worth_of(self._scene, *one) for key, one in found.items()}
        told = [one for one in self._open if one.waiting and one.waiting.keys() <= worth.keys()]
        for study in told:
            study.tell(worth)
            if study in self._unsent:
                self._unsent.remove(study)
        return bool(told)

    def _refuse_strangers(self) -> None:
        """Raise SearchChanged where the scene has runs that this search has never asked for."""
        if not self._is_all_open:  # those may be of studies that were not opened yet
            return
        keys = [*self._keys, *chain.from_iterable(one.keys for one in self._open)]
        with transaction(self._settings) as connection:
            found = learning_scenes.strangers(connection, self.scene_id, keys)
        if found:
            raise SearchChanged(
                f"expected to ask again for the runs that are recorded, but {found} of them are "
                "others: a strategy was edited, or Mela upgraded, while the search went on. "
                "Publish it again under a new id."
            )

    def _chunks(self, part: list[Study]) -> Iterator[RunChunk]:
        """Yield the runs that some studies wait for, those of one candle series together."""
        first = sum(one.told for one in self._open)  # so that chunks go round the partitions
        spark, most = self._settings.spark, self._settings.kafka.max_message_bytes // 2
        chunks = chunk_runs(_runs(part), self.scene_id, size=spark.chunk_runs, max_bytes=most)
        for chunk in chunks:
            yield chunk._replace(chunk=first + chunk.chunk)


def _runs(studies: Sequence[Study]) -> list[Run]:
    runs = [run for one in studies for run in one.waiting.values()]
    return sorted(runs, key=lambda run: (run.instrument, run.interval))


def _studies(scene: Scene) -> Iterator[Study]:
    for instrument in scene.instruments:
        for window in window_variants(scene):
            yield Study(scene, instrument, window)

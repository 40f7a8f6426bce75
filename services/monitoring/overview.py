"""An overview of now: the queries, the running scenes, the newest rejections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mela.errors import SourceUnavailable
from mela.settings import Settings
from messaging.offsets import EndOffsets
from services.monitoring.job_state import JobState, now, read_state
from services.monitoring.query_progress import READS, committed
from services.scenes.scene_states import SceneState
from services.scenes.stored_scenes import ListedScene, list_scenes

MOST_SCENES = 8
MOST_REJECTED = 4


@dataclass(frozen=True, slots=True)
class QueryNow:
    """A streaming query. waiting: None while Kafka does not answer; state: a word or a sentence."""

    name: str
    topic: str
    messages: int
    batches: int
    waiting: int | None
    state: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview at an instant; warehouse: why it cannot be read, if it cannot."""

    at: datetime
    queries: tuple[QueryNow, ...]
    scenes: tuple[ListedScene, ...]
    rejected: tuple[ListedScene, ...]
    warehouse: str | None


class Watcher:
    """Looks at everything as often as it is asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends = EndOffsets(settings)

    def look(self) -> Overview:
        """Return what is going on.

        A service that does not answer is left out; the function never raises.
        """
        scenes: Sequence[ListedScene] = ()
        rejected: Sequence[ListedScene] = ()
        wrong: str | None = None
        try:
            running, refused = (SceneState.RUNNING,), (SceneState.REJECTED,)
            scenes = list_scenes(self._settings, states=running, most=MOST_SCENES)
            rejected = list_scenes(self._settings, states=refused, most=MOST_REJECTED)
        except Exception as error:  # noqa: BLE001  a screen that is looked at while much is broken
            wrong = str(error).strip().splitlines()[0][:200]
        return Overview(now(), self.queries(), tuple(scenes), tuple(rejected), wrong)

    def queries(self) -> tuple[QueryNow, ...]:
        """Return how each streaming query is, and how far it is behind. Never raises."""
        try:
            ends = self._ends.of(tuple(READS.values()))
        except SourceUnavailable:
            ends = None
        state = self._job()
        words = {one.name: one.sentence() for one in state.queries} if state else {}
        found: list[QueryNow] = []
        for name, topic in READS.items():
            at = committed(self._settings.home, name)
            word = (state.silence() if state else None) or words.get(name, "not started")
            waiting = None if ends is None else at.waiting(ends[topic])
            is_well = word == f"{name} works"
            found.append(
                QueryNow(
                    name, topic, at.messages, at.batch + 1, waiting, "works" if is_well else word
                )
            )
        return tuple(found)

    def _job(self) -> JobState | None:
        try:
            return read_state(self._settings.home)
        except ValueError:
            return None

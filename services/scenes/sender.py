"""Send scenes to the planner from a process that lives on, and again those that never got there.

A scene is recorded first and then sent. A process that is killed in between leaves one that waits
for ever; so whoever lives on looks for such scenes and sends them. To send one twice does no harm,
as its id is the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mela.errors import MelaError, SceneInvalid
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from mela.training import Training, parse_training
from messaging.publisher import publisher_of
from warehouse.database import transaction
from warehouse.scenes import records
from warehouse.scenes.stored_scene import StoredScene

LOG = structlog.get_logger(__name__)
LOST = timedelta(seconds=60)  # after which a scene that no planner has read may be lost
SWEEP_S = 60.0
LONGEST_S = 3_600.0  # between two times that the same scene is sent: the planner may be away
MOST = 200  # scenes of one sweep

_sending = threading.Lock()  # one flushes at a time, so that each sees its own errors


def send(scene: Scene | Training, settings: Settings) -> None:
    """Send a scene, which has its id. Raises SourceUnavailable if Kafka does not take it."""
    with _sending:
        publisher = publisher_of(settings, linger_ms=0, owner="api")
        publisher.scene(scene)
        publisher.flush()


def scene_again(stored: StoredScene) -> Scene | Training:
    """Return a stored scene as it was published. Raises SceneInvalid where it is no longer one."""
    content: Mapping[str, object] = stored.content
    if stored.is_training:
        return parse_training({**content, "scene_id": str(stored.scene_id)})
    return parse_scene({**content, "scene_id": str(stored.scene_id), "name": stored.name})


class Sweep:
    """Sends again what no planner has read, each scene more and more seldom."""

    def __init__(self, settings: Settings, older_than: timedelta = LOST) -> None:
        self._settings = settings
        self._older_than = older_than
        self._sent: dict[str, tuple[float, float]] = {}  # when again, and the pause after that

    def run(self, stop: threading.Event) -> None:
        """Sweep at once and each minute, until told to stop."""
        while True:
            try:
                self.once()
            except (MelaError, SQLAlchemyError) as error:  # it is away; the next sweep makes up
                LOG.warning("scenes_not_swept", error=str(error).strip().split("\n")[0])
            except Exception:  # nobody would start this thread again
                LOG.exception("scenes_not_swept")
            if stop.wait(SWEEP_S):
                return

    def once(self) -> list[str]:
        """Send what is due, and return the ids. Raises SourceUnavailable."""
        with transaction(self._settings) as connection:
            found = records.untaken(connection, self._older_than, MOST)
        ids = {str(one.scene_id) for one in found}
        self._sent = {key: due for key, due in self._sent.items() if key in ids}
        now = time.monotonic()
        done: list[str] = []
        for stored in found:
            scene_id = str(stored.scene_id)
            again_at, pause_s = self._sent.get(scene_id, (now, SWEEP_S))
            if again_at > now:
                continue
            try:
                send(scene_again(stored), self._settings)
            except SceneInvalid as error:
                LOG.warning("scene_not_sent_again", scene_id=scene_id, error=str(error))
            else:
                LOG.info("scene_sent_again", scene_id=scene_id)
                done.append(scene_id)
            self._sent[scene_id] = now + pause_s, min(2 * pause_s, LONGEST_S)
        return done

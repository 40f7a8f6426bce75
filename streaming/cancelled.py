"""Scenes that were cancelled, told on `mela.progress`.

`mela cancel` writes to the warehouse and nowhere else: writing to `mela.progress` needs the rights
of the job, and a cancellation must not depend on a broker that answers. A thread of the job finds
such scenes there and tells them, also those of a time when it was away.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

from mela.messages import Progress, State
from mela.settings import Settings
from messaging.publisher import publisher_of
from streaming.beside import keep_on
from warehouse.database import transaction
from warehouse.results import finder
from warehouse.scenes import records as scenes

AT_FIRST = timedelta(days=1)  # told by a job that has just started, perhaps for a second time
LATE = timedelta(minutes=5)  # after which no transaction commits that cancelled a scene


class CancelledScenes:
    """Tells each cancelled scene. `run` belongs to a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._told: frozenset[str] | None = None

    def run(self, stop: threading.Event) -> None:
        """Tell them until told to stop. A service that is away is waited for."""
        keep_on(self.step, stop, stop, "cancelled_scenes")

    def step(self) -> bool:
        """Tell what was cancelled lately, once; return whether there was any.

        Raises where a service is away.
        """
        with transaction(self._settings) as connection:
            found = scenes.cancelled_within(connection, AT_FIRST if self._told is None else LATE)
            new = found.keys() - (self._told or frozenset())
            counted = finder.progress(connection, sorted(new))
        publisher = publisher_of(self._settings, owner="cancelled scenes")
        for scene in counted:
            publisher.progress(
                Progress(
                    scene_id=UUID(str(scene.scene_id)),
                    state=State.CANCELLED,
                    at=found[str(scene.scene_id)],
                    runs=scene.runs,
                    skipped=scene.skipped,
                    cached=scene.cached,
                    recorded=scene.recorded,
                    cancelled=scene.cancelled,
                )
            )
        if counted:
            publisher.flush()
        self._told = frozenset(found)
        return bool(counted)

"""The states of a scene that a list of scenes may be asked for."""

from __future__ import annotations

from enum import StrEnum


class SceneState(StrEnum):
    """Return the states as ops.scene stores them; `running` stands for received and planned."""

    RUNNING = "running"
    RECEIVED = "received"
    PLANNED = "planned"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def stored(self) -> tuple[str, ...]:
        """Return the states of ops.scene that are meant."""
        return ("received", "planned") if self is SceneState.RUNNING else (self.value,)

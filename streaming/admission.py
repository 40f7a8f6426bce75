"""Admit a scene: find its owner, and check his quota of today.

It is asked where scenes are planned, so that publishing straight to Kafka is no way around.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection

from mela.errors import SceneInvalid
from mela.settings import Settings
from services.accounts import quotas
from warehouse.scenes import owners, users

NOBODY = "kafka"  # owns what came straight through a broker that asks nobody who he is


class Admission:
    """Lets the scenes of one batch in, one after another, within its transaction."""

    def __init__(
        self, connection: Connection, scene_ids: Sequence[UUID], settings: Settings
    ) -> None:
        """Read what is known of the scenes: one question for all."""
        self._connection = connection
        self._settings = settings
        self._known: Mapping[UUID, owners.Known] = (
            owners.known(connection, scene_ids) if scene_ids else {}
        )
        self._unclaimed: list[UUID] = []
        self._owner: int | None = None

    def refusal(self, scene_id: UUID, runs: int, *, has_search: bool) -> SceneInvalid | None:
        """Return why a scene is not let in; None where it is.

        One that was let in before is let in again: the planner was stopped in between.
        """
        known = self._known.get(scene_id)
        if known is not None and (known.is_admitted or (known.is_rerun and not known.user_id)):
            return None
        user_id = known.user_id if known else None
        if user_id is None:
            user_id = self._straight()
            self._unclaimed.append(scene_id)
        try:
            quotas.check(self._connection, self._settings, user_id, runs, has_search=has_search)
        except SceneInvalid as refused:
            return refused
        return None

    def claim(self) -> None:
        """Give the scenes that nobody announced to whom the broker knows as their publisher."""
        if self._unclaimed:
            owners.own(self._connection, self._unclaimed, self._straight())

    def _straight(self) -> int:
        if self._owner is None:
            name = self._settings.kafka.publisher or NOBODY
            self._owner = users.ensure(self._connection, name)
        return self._owner

"""A refused scene is in the warehouse before anybody can read of its refusal."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from mela.errors import SceneInvalid
from mela.messages import SCENES, MessagePosition
from mela.settings import Settings
from messaging.publisher import Publisher
from streaming.plan import SceneMessage, give_up, plan_scenes
from tests.streaming.test_plan import SCENE, SCENE_ID
from warehouse.database import transaction
from warehouse.scenes import records

pytestmark = pytest.mark.integration


class Reader(Publisher):
    """A publisher that asks the warehouse, as readers of its topics do, at each message."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.seen: list[str | None] = []

    def _ask(self, *_: Any) -> None:
        with transaction(self.settings) as connection:
            scene = records.get(connection, UUID(SCENE_ID))
        self.seen.append(None if scene is None else scene.status)

    rejected = progress = _ask

    def flush(self) -> None:
        """Nothing is on its way."""


def test_a_letter_is_sent_when_the_refusal_is_recorded(warehouse: Settings) -> None:
    reader = Reader(warehouse)
    wrong = SceneMessage(
        json.dumps({**SCENE, "scene_id": SCENE_ID, "cash": -1}).encode(),
        MessagePosition(SCENES, 0, 7),
    )
    plan_scenes([wrong], warehouse, reader)
    plan_scenes([wrong], warehouse, reader)  # the same message again, as after a kill
    assert reader.seen == ["rejected"] * 4


def test_a_scene_that_cannot_be_planned_is_recorded_first_too(warehouse: Settings) -> None:
    reader = Reader(warehouse)
    message = SceneMessage(
        json.dumps({**SCENE, "scene_id": SCENE_ID}).encode(), MessagePosition(SCENES, 0, 8)
    )
    give_up(message, warehouse, reader, SceneInvalid("invalid_field", None, "it cannot be."))
    assert reader.seen == ["rejected"] * 2

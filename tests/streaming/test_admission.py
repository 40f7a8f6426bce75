"""Whose a scene is, and what its owner may ask for: where scenes are planned."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from mela.errors import RejectionCode, SceneInvalid
from mela.messages import SCENES, MessagePosition, Progress
from mela.settings import Settings
from services.accounts import quotas
from services.scenes.publish import announce, plan_scene
from sources.instruments import describe
from streaming.plan import SceneMessage, plan_scenes
from tests.warehouse.given import NAME, rows
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.scenes import users

pytestmark = pytest.mark.integration
SCENE: dict[str, Any] = {
    "schema_version": 1,
    "instruments": [NAME],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2024-01-01T00:00:00Z",
    "strategy": {"name": "sma_cross"},
    "search": {
        "kind": "grid",
        "space": {"strategy.params.fast": {"from": 1, "to": 10, "step": 1}},
    },
}
RUNS = 10


class Said:
    """A publisher that keeps what was to be sent: whether a broker takes it is not asked here."""

    def __init__(self) -> None:
        self.refused: list[SceneInvalid] = []
        self.said: list[Progress] = []

    def rejected(self, value: bytes, source: MessagePosition, refused: SceneInvalid) -> None:
        self.refused.append(refused)

    def progress(self, message: Progress) -> None:
        self.said.append(message)

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


@pytest.fixture
def settings(warehouse: Settings) -> Settings:
    with transaction(warehouse) as connection:
        instruments.upsert(connection, describe(NAME))
    return warehouse


def asked(offset: int, scene_id: UUID | None = None, **change: Any) -> SceneMessage:
    document = {**SCENE, **change, "scene_id": str(scene_id or uuid4())}
    return SceneMessage(json.dumps(document).encode(), MessagePosition(SCENES, 0, offset))


def announced(settings: Settings, user: str, offset: int) -> SceneMessage:
    message = asked(offset)
    scene, plan = plan_scene(json.loads(message.value or b""), settings)
    announce(scene, plan, user, settings)
    return message


def planned(settings: Settings, *messages: SceneMessage) -> Said:
    said = Said()
    publisher: Any = said
    plan_scenes(messages, settings, publisher)
    return said


def limited(settings: Settings, user: str, **limits: int | None) -> None:
    with transaction(settings) as connection:
        users.ensure(connection, user)
    wanted = {"runs_per_day": None, "scenes_at_once": None} | limits
    quotas.set_quota(settings, user, **wanted)  # type: ignore[arg-type]


def owners(settings: Settings) -> list[tuple[str | None, str]]:
    query = """SELECT u.name, s.status FROM ops.scene s LEFT JOIN ops.user u ON u.id = s.user_id
               ORDER BY s."offset" """
    return [tuple(row) for row in rows(settings, query)]


def test_a_scene_straight_from_kafka_belongs_to_kafka_and_an_announced_one_to_its_user(
    settings: Settings,
) -> None:
    planned(settings, asked(1), announced(settings, "ada", 2))
    assert owners(settings) == [("kafka", "planned"), ("ada", "planned")]


def test_where_the_broker_knows_its_publisher_the_scene_is_his(settings: Settings) -> None:
    kafka = settings.kafka.model_copy(update={"publisher": "mela-publisher"})
    planned(settings.model_copy(update={"kafka": kafka}), asked(1))
    assert owners(settings) == [("mela-publisher", "planned")]


def test_runs_of_a_day_are_refused_beyond_the_quota_and_others_are_not(settings: Settings) -> None:
    limited(settings, "ada", runs_per_day=RUNS + 5)
    first, second = announced(settings, "ada", 1), announced(settings, "ada", 2)

    said = planned(settings, first, second, announced(settings, "bob", 3))

    [refused] = said.refused
    assert (refused.code, refused.field) == (RejectionCode.QUOTA_EXCEEDED, "search.space")
    assert "5 of your 15 runs a day are left" in refused.sentence
    assert sorted(owners(settings), key=str) == [
        ("ada", "planned"),
        ("ada", "rejected"),
        ("bob", "planned"),
    ]


def test_scenes_at_once_are_refused_until_one_has_ended(settings: Settings) -> None:
    limited(settings, "ada", scenes_at_once=1)
    planned(settings, announced(settings, "ada", 1))
    [refused] = planned(settings, announced(settings, "ada", 2)).refused
    assert (refused.code, refused.field) == (RejectionCode.QUOTA_EXCEEDED, None)

    with transaction(settings) as connection:
        connection.execute(
            text(
                """UPDATE ops.scene SET status = 'finished', finished_at = now(), best = '{}'
                   WHERE "offset" = 1"""
            )
        )
    assert not planned(settings, announced(settings, "ada", 3)).refused


def test_publishing_straight_to_kafka_is_no_way_around(settings: Settings) -> None:
    limited(settings, "kafka", runs_per_day=RUNS)
    assert not planned(settings, asked(1)).refused
    [refused] = planned(settings, asked(2)).refused
    assert refused.code is RejectionCode.QUOTA_EXCEEDED


def test_a_default_holds_for_who_has_no_quota_of_his_own(settings: Settings) -> None:
    api = settings.api.model_copy(update={"runs_per_day": RUNS})
    strict = settings.model_copy(update={"api": api})
    limited(settings, "ada", runs_per_day=0)

    said = planned(strict, *(announced(settings, user, at) for at, user in enumerate(["ada"] * 3)))
    assert not said.refused
    [refused] = planned(strict, announced(settings, "b", 5), announced(settings, "b", 6)).refused
    assert refused.code is RejectionCode.QUOTA_EXCEEDED


def test_a_default_of_their_own_holds_for_scenes_that_came_straight_through_kafka(
    settings: Settings,
) -> None:
    api = settings.api.model_copy(update={"kafka_runs_per_day": RUNS})
    strict = settings.model_copy(update={"api": api})
    assert not planned(strict, asked(1), *(announced(settings, "b", at) for at in (2, 3))).refused
    [refused] = planned(strict, asked(4)).refused
    assert refused.code is RejectionCode.QUOTA_EXCEEDED
    limited(settings, "kafka", runs_per_day=0)
    assert not planned(strict, asked(5)).refused


def test_a_scene_that_comes_again_after_a_stop_is_not_counted_twice(settings: Settings) -> None:
    limited(settings, "ada", runs_per_day=RUNS)
    message = announced(settings, "ada", 1)
    planned(settings, message)
    with transaction(settings) as connection:  # as if the planner had stopped before it said so
        connection.execute(text("UPDATE ops.scene SET status = 'received', planned_at = NULL"))
    assert not planned(settings, message).refused
    assert owners(settings) == [("ada", "planned")]

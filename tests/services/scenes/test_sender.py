"""Scenes that were recorded and perhaps never sent reach the planner, once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from confluent_kafka import Consumer
from sqlalchemy import text

from mela.errors import SourceUnavailable
from mela.messages import SCENES, MessagePosition
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from messaging import publisher
from messaging.consumer import poll, tail
from services.scenes.schedules import add_schedule, publish_due
from services.scenes.sender import Sweep
from tests.api.conftest import Callers, callers  # noqa: F401  a fixture
from tests.warehouse.given import NAME, START, answer, load, rows
from warehouse.accounts import visible
from warehouse.database import transaction
from warehouse.scenes import records, users

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
ONE: dict[str, Any] = {
    "instruments": [NAME],
    "interval": "1h",
    "start": "2024-01-01T00:00:00Z",
    "end": "2024-01-02T00:00:00Z",
    "strategy": {"name": "sma_cross", "params": {"fast": 5, "slow": 10}},
}
NOW = START + timedelta(hours=60, minutes=30)
AT_ONCE = timedelta(0)


@pytest.fixture
def settings(warehouse: Settings, streams: Settings) -> Settings:
    return warehouse.model_copy(update={"kafka": streams.kafka})


def announced(settings: Settings) -> Scene:
    scene = parse_scene({**ONE, "scene_id": str(uuid4()), "name": "mine"})
    with transaction(settings) as connection:
        user_id = users.ensure(connection, "ada")
        records.announce(connection, scene, runs=1, user_id=user_id)
    return scene


def received(settings: Settings, scene: Scene) -> None:
    """Record that the planner has read a scene."""
    with transaction(settings) as connection:
        records.receive(
            connection,
            str(scene.scene_id),
            scene.content(),
            scene.content_hash(),
            runs=1,
            skipped=0,
            name=scene.name,
            origin=MessagePosition(SCENES, 0, 1),
        )


def sent(consumer: Consumer) -> list[dict[str, Any]]:
    """Return the scenes that have reached Kafka, until no more come."""
    found: list[dict[str, Any]] = []
    silent = 0
    while silent < (2 if found else 8):
        raw = poll(consumer, 0.5)
        if raw is None:
            silent += 1
        else:
            found.append(json.loads(raw))
    consumer.close()
    return found


def test_a_scene_that_was_never_sent_is_sent_and_not_each_time(settings: Settings) -> None:
    lost, taken, cancelled = (announced(settings) for _ in range(3))
    received(settings, taken)
    with transaction(settings) as connection:
        assert records.cancel(connection, str(cancelled.scene_id))
    heard = tail(settings, SCENES)
    assert Sweep(settings).once() == []  # it may be on its way
    sweep = Sweep(settings, AT_ONCE)
    assert sweep.once() == [str(lost.scene_id)]
    assert sweep.once() == []
    [message] = sent(heard)
    assert parse_scene(message) == lost
    received(settings, lost)
    assert Sweep(settings, AT_ONCE).once() == []


def test_one_that_can_no_longer_be_read_holds_no_other_up(settings: Settings) -> None:
    broken, lost = announced(settings), announced(settings)
    with transaction(settings) as connection:
        connection.execute(
            text("UPDATE ops.scene SET content = '{}' WHERE scene_id = :id"),
            {"id": broken.scene_id},
        )
    assert Sweep(settings, AT_ONCE).once() == [str(lost.scene_id)]


def scheduled(settings: Settings, **how: Any) -> None:
    load(settings, answer(100.0 + np.sin(np.arange(60.0))))
    add_schedule("often", ONE, "2d", settings, user="ada", **how)


def owners(settings: Settings) -> list[tuple[str, str]]:
    return rows(
        settings,
        """SELECT s.scene_id::text, u.name FROM ops.scene s JOIN ops.user u ON u.id = s.user_id
           WHERE s.partition IS NULL""",
    )


def test_whose_a_scheduled_scene_is_is_known_before_the_planner_can_read_it(
    warehouse: Settings, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Kafka does not take it, or the process ends first, the same scene is still due."""
    scheduled(warehouse)
    monkeypatch.setattr(publisher, "FLUSH_TIMEOUT_S", 2.0)
    with pytest.raises(SourceUnavailable):
        publish_due(warehouse, NOW)  # no broker answers there
    [(scene_id, owner)] = owners(warehouse)
    assert owner == "ada"

    heard = tail(settings, SCENES)
    assert publish_due(settings, NOW) == [scene_id]
    assert publish_due(settings, NOW) == []
    assert [one["scene_id"] for one in sent(heard)] == [scene_id]
    assert owners(warehouse) == [(scene_id, "ada")]


def test_the_scenes_of_a_private_schedule_are_private_before_they_are_sent(
    warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled(warehouse, is_private=True)
    monkeypatch.setattr(publisher, "FLUSH_TIMEOUT_S", 2.0)
    with pytest.raises(SourceUnavailable):
        publish_due(warehouse, NOW)
    [(scene_id, _)] = owners(warehouse)
    with transaction(warehouse) as connection:
        ada, bob = users.ensure(connection, "ada"), users.ensure(connection, "bob")
        assert visible.sees_scene(connection, ada, UUID(scene_id))
        assert not visible.sees_scene(connection, bob, UUID(scene_id))


def test_the_same_request_to_ask_again_publishes_once(
    callers: Callers,  # noqa: F811
    settings: Settings,
) -> None:
    load(settings, answer(100.0 + np.sin(np.arange(60.0))))
    trader = callers.browser(settings)
    trader.enter(settings, "trader")
    first = trader.post("/scenes", json={"scene": ONE})
    assert first.status_code == 202, first.text
    scene_id = first.json()["scene_id"]
    heard = tail(settings, SCENES)

    def again(key: str | None) -> str:
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = trader.post(f"/scenes/{scene_id}/rerun", headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json()["scene_id"]

    once = again("a")
    assert again("a") == once  # sent again, as no planner has read it
    others = {again("b"), again(None), again(None)}
    assert len(others | {once, scene_id}) == 5
    assert {one["scene_id"] for one in sent(heard)} == {once, *others}
    mixed = trader.post("/scenes", json={"scene": ONE}, headers={"Idempotency-Key": "a"})
    assert (mixed.status_code, mixed.json()["code"]) == (409, "conflict")

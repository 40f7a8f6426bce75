"""streaming/cancelled.py: who cancels a scene needs no Kafka, and the job tells it there."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from confluent_kafka import Consumer

from mela.errors import Conflict
from mela.messages import PROGRESS, Progress, State
from mela.settings import Settings
from messaging.codec import decode_progress
from messaging.consumer import poll, tail
from services.scenes.cancel import cancel_scene
from streaming.cancelled import CancelledScenes
from tests.warehouse.given import a_scene
from warehouse.database import transaction
from warehouse.scenes import records

pytestmark = pytest.mark.integration
PATIENCE_S = 20.0


def heard(consumer: Consumer, wanted: set[UUID]) -> list[Progress]:
    """Return what is told of some scenes until nothing more comes."""
    found: list[Progress] = []
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        raw = poll(consumer, 1.0)
        if raw is not None and (one := decode_progress(raw)).scene_id in wanted:
            found.append(one)
        elif raw is None and found:
            return found
    return found


def test_a_scene_is_cancelled_without_kafka(warehouse: Settings) -> None:
    """No broker answers here at all."""
    scene_id = UUID(str(a_scene(warehouse)))
    began = time.monotonic()
    cancel_scene(scene_id, warehouse)
    assert time.monotonic() - began < 5
    with transaction(warehouse) as connection:
        stored = records.get(connection, scene_id)
    assert stored is not None
    assert stored.status == "cancelled"
    with pytest.raises(Conflict, match="has ended already"):
        cancel_scene(scene_id, warehouse)


def test_the_job_tells_each_cancelled_scene_once(warehouse: Settings, streams: Settings) -> None:
    settings = warehouse.model_copy(update={"kafka": streams.kafka})
    before, after, other = (UUID(str(a_scene(warehouse))) for _ in range(3))
    consumer = tail(settings, PROGRESS)
    cancel_scene(before, warehouse)  # while the job is away
    cancelled = CancelledScenes(settings)
    assert cancelled.step()
    assert not cancelled.step()
    cancel_scene(after, warehouse)
    assert cancelled.step()
    assert not cancelled.step()

    told = heard(consumer, {before, after, other})
    consumer.close()
    assert [(one.scene_id, one.state, one.recorded) for one in told] == [
        (before, State.CANCELLED, 0),
        (after, State.CANCELLED, 0),
    ]
    assert CancelledScenes(settings).step()  # a job that starts tells them again, rather than never

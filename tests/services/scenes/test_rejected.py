"""A rejected message is found by its id, and published again once, when that can help."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from mela.errors import Conflict, NotFound, RejectionCode
from mela.messages import KEPT_BYTES, PROGRESS, SCENES, MessagePosition
from mela.settings import Settings
from messaging.codec import original_of
from messaging.consumer import message_at
from messaging.publisher import publisher_of, send_again
from services.scenes.rejected import Wanted, latest_rejections, position_of, rejection_of
from services.scenes.republish import replay
from streaming.conclude import ProgressMessage, recorded_scenes, refuse
from streaming.plan import SceneMessage, plan_scenes
from tests.hostile.given import ONE
from tests.warehouse.given import answer, load, rows

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def settings(warehouse: Settings, streams: Settings) -> Settings:
    return warehouse.model_copy(update={"kafka": streams.kafka})


def sent(settings: Settings, value: bytes, topic: str = SCENES) -> MessagePosition:
    """Send a message; return where it is."""
    return send_again(settings.kafka, MessagePosition(topic, 0, 0), b"key", value, ("n", b""))


def planned(settings: Settings, position: MessagePosition) -> None:
    """Plan the scene of a message, as the query does."""
    message = message_at(settings, position)
    assert message is not None
    plan_scenes([SceneMessage(message.value(), position)], settings, publisher_of(settings))


def refused(settings: Settings, scene: dict[str, Any]) -> MessagePosition:
    """Publish and plan a scene that will be refused; return where it is."""
    position = sent(settings, json.dumps(scene).encode())
    planned(settings, position)
    assert rejection_of(position.key, settings).key == position.key
    return position


def test_a_scene_is_published_again_once_its_instrument_is_there(settings: Settings) -> None:
    position = refused(settings, ONE)
    with pytest.raises(Conflict, match=r"refused again \(unknown_instrument\).*mela ingest"):
        replay(position.key, settings)
    load(settings, answer(100.0 + np.sin(np.arange(60.0))))

    done = replay(position.key.removeprefix("mela."), settings)

    assert done.is_new
    assert done.position.offset > position.offset
    assert done.scene_id == done.position.scene_id  # it stated none: a new place, a new id
    planned(settings, done.position)
    [scene] = rows(settings, "SELECT scene_id, status FROM ops.scene WHERE status <> 'rejected'")
    assert (scene.scene_id, scene.status) == (done.scene_id, "planned")
    again = replay(position.key, settings)
    assert (again.position, again.scene_id, again.is_new) == (done.position, done.scene_id, False)


def test_a_scene_keeps_the_id_that_it_states_while_that_is_free(settings: Settings) -> None:
    scene_id = str(uuid4())
    position = refused(settings, {**ONE, "scene_id": scene_id})
    load(settings, answer(100.0 + np.sin(np.arange(60.0))))
    other = sent(settings, json.dumps({**ONE, "scene_id": scene_id, "cash": 7}).encode())
    planned(settings, other)

    with pytest.raises(Conflict, match="scene_id_reused"):
        replay(position.key, settings)

    free = refused(settings, {**ONE, "scene_id": str(uuid4()), "instruments": ["binance:ETHUSDT"]})
    load(settings, answer(100.0 + np.sin(np.arange(60.0)), name="binance:ETHUSDT"))
    original = json.loads(original_of(rejection_of(free.key, settings)))
    done = replay(free.key, settings)
    assert done.scene_id == UUID(original["scene_id"])


def test_a_scene_that_was_accepted_meanwhile_is_not_sent_again(settings: Settings) -> None:
    scene = {**ONE, "scene_id": str(uuid4())}
    position = refused(settings, scene)
    load(settings, answer(100.0 + np.sin(np.arange(60.0))))
    planned(settings, sent(settings, json.dumps(scene).encode()))

    with pytest.raises(Conflict, match=r"accepted meanwhile.*planned"):
        replay(position.key, settings)


@pytest.mark.parametrize(
    ("value", "why"), [(b'{"cut', "no JSON"), (b"{}", "refused again"), (b"[1]", "refused again")]
)
def test_what_would_be_refused_again_is_not_sent(
    settings: Settings, value: bytes, why: str
) -> None:
    position = sent(settings, value)
    planned(settings, position)

    with pytest.raises(Conflict, match=why):
        replay(position.key, settings)


def test_a_message_without_a_value_cannot_be_sent_again(settings: Settings) -> None:
    position = MessagePosition(SCENES, 0, 10**9)
    plan_scenes([SceneMessage(None, position)], settings, publisher_of(settings))

    with pytest.raises(Conflict, match="had no value"):
        replay(position.key, settings)


def test_a_message_that_its_letter_holds_in_part_is_sent_whole_while_kafka_has_it(
    settings: Settings,
) -> None:
    value = json.dumps({"state": "x" * (KEPT_BYTES + 10)}).encode()
    position = sent(settings, value, PROGRESS)
    gone = position._replace(offset=10**9)
    for place in (position, gone):
        for message, why in recorded_scenes([ProgressMessage(value, place)]).refused:
            refuse(message, why, publisher_of(settings))
    publisher_of(settings).flush()

    assert rejection_of(position.key, settings).is_cut
    done = replay(position.key, settings)
    repeated = message_at(settings, done.position)
    assert repeated is not None
    assert (repeated.value(), repeated.key(), done.scene_id) == (value, b"key", None)
    with pytest.raises(Conflict, match="has dropped the message itself"):
        replay(gone.key, settings)


def test_letters_are_kept_by_code_topic_and_time(settings: Settings) -> None:
    begun = datetime.now(UTC)
    cut, empty = sent(settings, b'{"cut'), sent(settings, b"{}")
    for position in (cut, empty):
        planned(settings, position)

    def listed(**wanted: Any) -> list[str]:
        return [one.key for one in latest_rejections(settings, wanted=Wanted(**wanted))]

    assert listed(since=begun) == [empty.key, cut.key]
    assert listed(since=begun, code=RejectionCode.NOT_JSON) == [cut.key]
    assert listed(since=begun, topic="scenes") == [empty.key, cut.key]
    assert listed(since=begun, topic="mela.runs") == []
    assert listed(since=begun + timedelta(hours=1)) == []
    assert latest_rejections(settings, most=1)[0].key == empty.key


def test_an_id_that_is_none_and_one_of_no_letter_are_told_apart(settings: Settings) -> None:
    for name in ("", "scenes", "scenes:0", "scenes:x:1", "scenes:0:-1"):
        with pytest.raises(NotFound, match="expected the id"):
            position_of(name)
    with pytest.raises(NotFound, match="no rejected message is called"):
        rejection_of("mela.scenes:0:999999999", settings)

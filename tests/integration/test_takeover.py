"""A job of this release finishes what a job of an older one had begun."""

from __future__ import annotations

from uuid import uuid4

import orjson
import pytest

from mela.messages import RESULTS, SCENES, MessagePosition
from mela.settings import Settings
from messaging.publisher import Publisher
from services.follow import Follower
from stack.supervision import Supervisor
from tests.integration.asking import answers, publish, scene_of
from warehouse.database import transaction
from warehouse.scenes import records as scenes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def test_results_that_an_older_release_sent_as_documents_are_recorded(platform: Settings) -> None:
    asked = scene_of()
    publish(asked, platform)
    [document] = answers(asked.scene_id, platform)
    again = asked.model_copy(update={"scene_id": uuid4()})
    supervisor = Supervisor(platform.home)
    supervisor.stop("spark")
    try:
        with transaction(platform) as connection:  # planned, sent to its run and answered
            scenes.receive(
                connection,
                again.scene_id or uuid4(),
                again.content(),
                again.content_hash(),
                runs=1,
                skipped=0,
                name=None,
                origin=MessagePosition(SCENES, 0, 0),
            )
            scenes.set_planned(connection, again.scene_id or uuid4(), cached=0)
        checkpoint = platform.home / "spark" / "checkpoints" / "record"
        (checkpoint / "offsets").mkdir(parents=True)
        with Follower(platform, [again.scene_id]) as follower:
            with Publisher(platform.kafka) as publisher:
                sent = {**document, "scene_id": str(again.scene_id)}
                publisher.send(RESULTS, f"{again.scene_id}:x", orjson.dumps(sent))
                publisher.send(RESULTS, "nonsense", b"{}")
            supervisor.start("spark")
            assert follower.to_the_end().recorded == 1
    finally:
        supervisor.start("spark")
    assert answers(again.scene_id, platform) == [sent]
    assert not checkpoint.exists()

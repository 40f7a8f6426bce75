"""Large scenes are planned with few chunks on their way, and taken up again after a kill."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from mela.messages import SCENES, MessagePosition
from mela.settings import Settings
from streaming import large_scenes
from streaming.large_scenes import ChunksAhead
from warehouse.database import transaction
from warehouse.scenes import records as scenes


def test_there_is_room_until_enough_chunks_are_on_their_way() -> None:
    ahead = ChunksAhead(most=10)
    ahead.sent("a", 6)
    ahead.sent("b", 4)
    assert ahead.room() == 0
    ahead.executed({"a": 2, "a scene that is not large": 7})
    assert ahead.room() == 2
    ahead.forget("b")
    assert ahead.room() == 6


def test_chunks_that_come_twice_make_no_room_that_is_not_there() -> None:
    ahead = ChunksAhead(most=3)
    ahead.sent("a", 2)
    ahead.executed({"a": 2})
    ahead.executed({"a": 2})
    assert ahead.room() == 3


def test_chunks_that_nobody_answers_are_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ahead = ChunksAhead(most=3)
    ahead.sent("a", 3)
    assert ahead.room() == 0
    monkeypatch.setattr(large_scenes, "STALE_S", -1.0)
    assert ahead.room() == 3


@pytest.mark.integration
def test_only_large_scenes_that_were_received_and_not_planned_are_taken_up(
    warehouse: Settings,
) -> None:
    def received(runs: int, **change: Any) -> UUID:
        scene_id = uuid4()
        with transaction(warehouse) as connection:
            content = {"strategy": {"name": "sma_cross"}, "cash": runs} | change
            origin = MessagePosition(SCENES, 0, runs)
            scenes.receive(
                connection,
                scene_id,
                content,
                str(scene_id),
                runs=runs,
                skipped=0,
                name=None,
                origin=origin,
            )
        return scene_id

    small, large, planned, unwanted = (received(runs) for runs in (10, 3_000, 4_000, 5_000))
    with transaction(warehouse) as connection:
        scenes.set_planned(connection, planned, cached=0)
        assert scenes.cancel(connection, unwanted)
        [found] = scenes.unplanned(connection, more_runs_than=2_000)
        assert scenes.unplanned(connection, more_runs_than=5_000) == []
    assert (found.scene_id, found.offset) == (str(large), 3_000)
    assert str(small) != found.scene_id

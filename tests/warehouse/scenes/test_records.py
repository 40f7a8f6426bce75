"""warehouse/scenes/records.py: what a publication is, and how far a scene is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from mela.messages import MessagePosition
from mela.settings import Settings
from warehouse.database import transaction
from warehouse.scenes import records as scenes
from warehouse.scenes.records import PublicationStatus, Receipt
from warehouse.scenes.stored_scene import StoredScene

pytestmark = pytest.mark.integration
ORIGIN = MessagePosition("mela.scenes", 1, 2)


def receive(settings: Settings, scene_id: str, content: str = "a", runs: int = 3) -> Receipt:
    with transaction(settings) as connection:
        return scenes.receive(
            connection,
            scene_id,
            {"name": content},
            f"hash of {content}",
            runs=runs,
            skipped=1,
            name=content,
            origin=ORIGIN,
        )


def reject(settings: Settings, scene_id: str, content: Any = None) -> bool:
    with transaction(settings) as connection:
        return scenes.reject(
            connection,
            scene_id,
            content,
            code="invalid_field",
            field="cash",
            sentence="cash must be above 0",
            origin=ORIGIN,
        )


def do(settings: Settings, step: Any, *arguments: Any) -> Any:
    with transaction(settings) as connection:
        return step(connection, *arguments)


def get(settings: Settings, scene_id: str) -> StoredScene:
    return do(settings, scenes.get, scene_id)


def test_a_new_scene_is_recorded_whole(warehouse: Settings) -> None:
    scene_id = str(uuid4())
    assert receive(warehouse, scene_id) == Receipt(PublicationStatus.NEW)
    found = get(warehouse, scene_id)
    assert (found.scene_id, found.name, found.content) == (scene_id, "a", {"name": "a"})
    assert (found.status, found.runs, found.skipped, found.cached) == (
        *("received", 3, 1),
        0,
    )
    assert (found.topic, found.partition, found.offset) == tuple(ORIGIN)


def test_the_same_again_says_how_far_it_is(warehouse: Settings) -> None:
    scene_id = str(uuid4())
    receive(warehouse, scene_id)
    assert receive(warehouse, scene_id, runs=4) == Receipt(PublicationStatus.REPEATED)
    do(warehouse, scenes.set_planned, scene_id, 2)
    again = receive(warehouse, scene_id, runs=5)
    assert again.outcome is PublicationStatus.REPEATED
    assert again.planned_at is not None
    assert again.finished_at is None
    found = get(warehouse, scene_id)
    assert (found.runs, found.cached, found.status) == (4, 2, "planned")


def test_an_id_used_again_touches_nothing(warehouse: Settings) -> None:
    scene_id = str(uuid4())
    receive(warehouse, scene_id)
    before = get(warehouse, scene_id)
    assert receive(warehouse, scene_id, content="b") == Receipt(PublicationStatus.ID_CONFLICT)
    assert not reject(warehouse, scene_id)
    assert get(warehouse, scene_id) == before


def test_the_id_of_a_rejected_scene_is_free_again(warehouse: Settings) -> None:
    scene_id = str(uuid4())
    assert reject(warehouse, scene_id)
    assert reject(warehouse, scene_id, {"cash": -1})
    found = get(warehouse, scene_id)
    assert (found.status, found.rejection_code) == ("rejected", "invalid_field")
    assert found.content == {"cash": -1}

    assert receive(warehouse, scene_id) == Receipt(PublicationStatus.NEW)
    found = get(warehouse, scene_id)
    assert (found.status, found.rejection_code) == ("received", None)


def test_steps_leave_their_first_time(warehouse: Settings) -> None:
    scene_id = str(uuid4())
    receive(warehouse, scene_id)
    for cached in (2, 3):
        do(warehouse, scenes.set_planned, scene_id, cached)
        planned_at = get(warehouse, scene_id).planned_at
    for _ in range(2):
        do(warehouse, scenes.set_finished, scene_id, {"overall": None}, "abc")
    found = get(warehouse, scene_id)
    assert found.planned_at == planned_at
    assert (found.status, found.best, found.mlflow_run_id) == (
        *("finished", {"overall": None}),
        "abc",
    )


def test_cancelled_stays_cancelled(warehouse: Settings) -> None:
    scene_id, other, unknown = (str(uuid4()) for _ in range(3))
    receive(warehouse, scene_id)
    receive(warehouse, other)
    assert do(warehouse, scenes.cancel, scene_id)
    assert not do(warehouse, scenes.cancel, scene_id)
    assert not do(warehouse, scenes.cancel, unknown)
    assert do(warehouse, scenes.cancelled, [scene_id, other, unknown]) == {scene_id}
    do(warehouse, scenes.set_planned, scene_id, 0)
    do(warehouse, scenes.set_finished, scene_id, None, None)
    assert get(warehouse, scene_id).status == "cancelled"
    assert receive(warehouse, scene_id).cancelled_at is not None


def test_a_finished_or_rejected_scene_cannot_be_cancelled(warehouse: Settings) -> None:
    finished, rejected = str(uuid4()), str(uuid4())
    receive(warehouse, finished)
    do(warehouse, scenes.set_finished, finished, None, None)
    reject(warehouse, rejected)
    assert not do(warehouse, scenes.cancel, finished)
    assert not do(warehouse, scenes.cancel, rejected)


def test_of_many_at_once_one_is_new(warehouse: Settings) -> None:
    scene_id = str(uuid4())
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda content: receive(warehouse, scene_id, content), "abababab"))
    winner = get(warehouse, scene_id).name
    outcomes = [receipt.outcome for receipt in receipts]
    assert outcomes.count(PublicationStatus.NEW) == 1
    assert outcomes.count(PublicationStatus.ID_CONFLICT) == 4
    for content, outcome in zip("abababab", outcomes, strict=True):
        assert (outcome is PublicationStatus.ID_CONFLICT) == (content != winner)


def test_what_jsonb_cannot_hold_stops_nothing(warehouse: Settings) -> None:
    """NUL, half a surrogate pair, endless numbers, a tower of lists; mela.rejected has them."""
    scene_id = str(uuid4())
    tower: Any = 1
    for _ in range(1_000):
        tower = [tower]
    strange = {"nul": "a\0b", "half": "\ud800", "\0": float("inf"), "big": 10**400, "tower": tower}
    assert reject(warehouse, scene_id, strange)
    assert get(warehouse, scene_id).content["nul"] == "a\ufffdb"


def test_an_unknown_scene_is_none(warehouse: Settings) -> None:
    assert get(warehouse, str(uuid4())) is None

"""The thread that plans large scenes lives on, whatever fails, and loses no run in silence."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import structlog

from backtests.strategies import CATALOGUE
from mela.errors import RejectionCode
from mela.grid import Plan, plan_runs
from mela.messages import REJECTED, RUNS, SCENES, MessagePosition, RunChunk, read_chunk
from mela.run import Run
from mela.scene import parse_scene
from mela.settings import Settings
from messaging.codec import decode_rejected
from messaging.consumer import tail
from messaging.publisher import publisher_of
from services.scenes.publish import announce
from streaming import large_scenes, plan
from streaming.large_scenes import LargeScenes
from streaming.plan import SceneMessage, SceneRequest, read_scene
from tests.warehouse.given import at
from warehouse.database import transaction
from warehouse.ingestion.ingest import ingest
from warehouse.scenes import records as scenes

pytestmark = pytest.mark.integration
SCENE: dict[str, Any] = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2023-01-03T00:00:00Z",
    "strategy": {"name": "sma_cross"},
    "search": {
        "kind": "grid",
        "space": {
            "strategy.params.fast": {"from": 1, "to": 50, "step": 1},
            "strategy.params.slow": {"from": 51, "to": 150, "step": 1},
        },
    },
}
RUNS_OF_SCENE = 5_000


class Interrupted(Plan):
    """A plan whose runs cannot be spelled out to their end."""

    def expand(self) -> Iterator[Run]:
        yield from itertools.islice(super().expand(), 3_000)
        raise ArithmeticError("the three thousand and first")


@pytest.fixture
def settings(replayed: Settings, streams: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    ingest("binance:BTCUSDT", "1h", at("2023-01-01"), at("2023-01-03"), replayed)
    return replayed.model_copy(update={"kafka": streams.kafka})


def received(settings: Settings, large: LargeScenes, kind: type[Plan] = Plan) -> SceneRequest:
    """Publish a large scene to the planner; return what it read."""
    scene_id = str(uuid4())
    body = json.dumps({**SCENE, "scene_id": scene_id}).encode()
    message = SceneMessage(body, MessagePosition(SCENES, 0, 7))
    found: list[SceneRequest] = []

    def hand_over(message: SceneMessage, request: SceneRequest, catalogue: Any) -> bool:
        of = request.accepted_plan
        broken = kind(of.instruments, of.groups, of.skipped, of.portfolio)
        found.append(replace(request, plan=broken))
        return large.hand_over(message, found[0], catalogue)

    plan.plan_scenes([message], settings, publisher_of(settings), hand_over)
    return found[0]


def test_a_scene_whose_runs_cannot_be_spelled_out_is_given_up_and_another_is_planned(
    settings: Settings,
) -> None:
    large = LargeScenes(settings)
    letters = tail(settings, REJECTED)
    broken = received(settings, large, Interrupted)
    sound = received(settings, large)

    with structlog.testing.capture_logs() as logs:  # not printed: a plan has much to print
        while large.step():
            large.ahead.executed({str(one.scene_id): 100 for one in (broken, sound)})

    assert "scene_not_expanded" in {one["event"] for one in logs}
    with transaction(settings) as connection:
        ended, planned = (scenes.get(connection, one.accepted_id) for one in (broken, sound))
    assert ended is not None
    assert planned is not None
    assert (ended.status, planned.status) == ("rejected", "planned")
    [letter] = [decode_rejected(one.value()) for one in letters.consume(1, timeout=20)]
    letters.close()
    assert (letter.code, letter.topic) == (RejectionCode.INVALID_FIELD, SCENES)
    assert "the three thousand and first" in letter.sentence


def test_every_run_is_sent_once_and_in_order(settings: Settings) -> None:
    large = LargeScenes(settings)
    sent = tail(settings, RUNS)
    scene = received(settings, large)

    while large.step():
        large.ahead.executed({str(scene.scene_id): 100})

    chunks: list[RunChunk] = []
    while sum(len(chunk.runs) for chunk in chunks) < RUNS_OF_SCENE:
        found = sent.consume(1_000, timeout=10)
        assert found
        chunks += [read_chunk(message.value(), CATALOGUE) for message in found]
    sent.close()
    chunks.sort(key=lambda chunk: chunk.chunk)
    assert [chunk.chunk for chunk in chunks] == list(range(len(chunks)))
    wanted = [run.run_key for run in scene.accepted_plan.expand()]
    assert [run.run_key for chunk in chunks for run in chunk.runs] == wanted


@pytest.mark.parametrize("error", [ArithmeticError("odd"), ConnectionError("away")])
def test_the_thread_goes_on_after_an_error(
    settings: Settings, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, stop = LargeScenes(settings), threading.Event()
    steps, whole = iter([error]), large.step

    def step() -> bool:
        for one in steps:
            raise one
        stop.set()
        return whole()

    monkeypatch.setattr(large, "step", step)
    thread = threading.Thread(target=large.run, args=(stop,))
    thread.start()
    large.ahead.changed.set()
    thread.join(timeout=20)

    assert not thread.is_alive()
    assert stop.is_set()


def taken(large: LargeScenes, settings: Settings, user: str | None, runs: int = 5_000) -> str:
    """Have a large scene of a user received and handed over; return its id."""
    scene_id = str(uuid4())
    space = {
        "strategy.params.fast": {"from": 1, "to": 50, "step": 1},
        "cash": {"from": 1_000, "to": 999 + runs // 50, "step": 1},
    }
    document = {**SCENE, "scene_id": scene_id, "search": {"kind": "grid", "space": space}}
    message = SceneMessage(json.dumps(document).encode(), MessagePosition(SCENES, 0, 7))
    if user is not None:
        scene = parse_scene(document)
        announce(scene, plan_runs(scene, CATALOGUE, max_runs=runs), user, settings)
    plan.plan_scenes([message], settings, publisher_of(settings), large.hand_over)
    return scene_id


def turns(large: LargeScenes, count: int = 1_000_000) -> list[str]:
    """Return which scene's slice was sent in each of some turns, or of all."""
    sent: list[str] = []
    with pytest.MonkeyPatch.context() as scope:
        step = large.ahead.sent
        scope.setattr(
            large.ahead, "sent", lambda name, chunks: (sent.append(name), step(name, chunks))
        )
        while len(sent) < count and large.step():
            large.ahead.executed(dict.fromkeys(sent, 1_000))
    return sent[:count]


def test_a_user_of_one_large_scene_gets_as_much_as_one_of_many(settings: Settings) -> None:
    large = LargeScenes(settings)
    hers = [taken(large, settings, "ada", 20_000) for _ in range(4)]
    his = taken(large, settings, "bob", 20_000)

    sent = turns(large, 12)

    assert sent.count(his) == 6
    assert {sent.count(one) for one in hers} <= {1, 2}


def test_a_giant_keeps_no_other_large_scene_waiting(settings: Settings) -> None:
    """A million runs are 20,050 variants: what a plan takes is not what it makes."""
    large = LargeScenes(settings)
    giant = taken(large, settings, None, 1_000_000)
    small = taken(large, settings, None, 5_000)

    assert set(turns(large, 4)) == {giant, small}


def test_who_has_a_scene_under_way_waits_for_room_and_others_do_not(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_scenes, "MOST_VARIANTS", 200)  # a scene here has 150
    large = LargeScenes(settings)
    first, second = taken(large, settings, "ada"), taken(large, settings, "ada")
    his = taken(large, settings, "bob")

    sent = turns(large)

    assert set(sent) == {first, second, his}
    assert sent.index(second) > max(at for at, one in enumerate(sent) if one == first)
    assert sent.index(his) < sent.index(second)


def test_a_scene_of_few_runs_is_not_taken(settings: Settings) -> None:
    large = LargeScenes(settings)
    few = {**SCENE, "search": {"kind": "grid", "space": {"strategy.params.fast": [2, 3]}}}
    message = SceneMessage(json.dumps(few).encode(), MessagePosition(SCENES, 0, 7))
    request = read_scene(message, settings)

    assert not large.hand_over(message, request, CATALOGUE)
    assert not large.step()

"""Publishing to the running platform and hearing what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import orjson
from confluent_kafka import Consumer
from mlflow.tracking import MlflowClient

from mela.messages import RESULTS, Progress
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from messaging.consumer import tail
from messaging.publisher import Publisher
from services.scenes.follow import Follower
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.scenes import records as scenes
from warehouse.scenes.stored_scene import StoredScene

ONE: dict[str, Any] = {
    "instruments": ["binance:BTCUSDT"],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2023-03-01T00:00:00Z",
    "strategy": {"name": "sma_cross", "params": {"fast": 10, "slow": 50}},
}
CASH = iter(range(20_000, 10**9))  # each question new, so that it is computed


def scene_of(**change: Any) -> Scene:
    """Return a scene with an id of its own, asking what nobody asked before."""
    return parse_scene({**ONE, "scene_id": str(uuid4()), "cash": next(CASH), **change})


def grid(fast: int, slow: int) -> dict[str, Any]:
    """Return a search of fast × slow parameter sets."""
    space = {
        "strategy.params.fast": {"from": 2, "to": 1 + fast, "step": 1},
        "strategy.params.slow": {"from": 100, "to": 99 + slow, "step": 1},
    }
    return {"kind": "grid", "space": space}


def publish(scene: Scene, settings: Settings) -> Progress:
    """Publish a scene and return its last word."""
    with Follower(settings, [scene.scene_id]) as follower:
        send(scene, settings)
        return follower.to_the_end()


def send(scene: Scene, settings: Settings) -> None:
    """Publish a scene and go on."""
    with Publisher(settings.kafka) as publisher:
        publisher.scene(scene)


def answers(scene_id: UUID | None, settings: Settings) -> list[dict[str, Any]]:
    """Return a scene's results in the warehouse, by run_key."""
    assert scene_id is not None
    with transaction(settings) as connection:
        return results.of_scene(connection, scene_id)


def stored_scene(scene_id: UUID | None, settings: Settings) -> StoredScene | None:
    """Return a scene as the warehouse has it."""
    assert scene_id is not None
    with transaction(settings) as connection:
        return scenes.get(connection, scene_id)


def results_in_kafka(consumer: Consumer, scene_id: UUID | None, runs: int) -> list[dict[str, Any]]:
    """Return the first result of each run of a scene that comes to a consumer of mela.results."""
    found: dict[str, dict[str, Any]] = {}
    give_up_at = time.monotonic() + 60
    while len(found) < runs and time.monotonic() < give_up_at:
        for message in consumer.consume(1000, timeout=0.2):
            document = orjson.loads(message.value() or b"{}")
            if document.get("scene_id") == str(scene_id):
                found.setdefault(document["run_key"], document)
    return list(found.values())


def results_tail(settings: Settings) -> Consumer:
    """Return a consumer of the results that come from now on."""
    return tail(settings, RESULTS)


def wait_for(held: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """Return the first true answer of `held`; fail after a while."""
    give_up_at = time.monotonic() + timeout_s
    while time.monotonic() < give_up_at:
        if answer := held():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {timeout_s:.0f} s")


def mirrored(run_id: str, settings: Settings, timeout_s: float = 600) -> str:
    """Return a scene's run in MLflow when all is written that the scene's end did not wait for."""
    client = MlflowClient(tracking_uri=settings.mlflow.url)
    wait_for(
        lambda: client.get_run(run_id).info.status == "FINISHED", timeout_s, "the mirror's end"
    )
    return run_id

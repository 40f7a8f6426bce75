"""Topics are sized for what travels on them."""

from __future__ import annotations

from typing import Any

from mela.messages import CHUNK_RESULTS, PROGRESS, REJECTED, RESULTS, RUNS, SCENES
from mela.settings import KafkaSettings
from mela.trading_messages import FILLS, ORDERS, POSITIONS
from messaging.topics import topics


def test_runs_results_and_sessions_alone_are_spread_over_partitions() -> None:
    found: list[Any] = topics(KafkaSettings(partitions=3))

    assert {one.topic: one.num_partitions for one in found} == {
        SCENES: 1,
        RUNS: 3,
        RESULTS: 3,
        CHUNK_RESULTS: 3,
        PROGRESS: 1,
        REJECTED: 1,
        ORDERS: 3,
        FILLS: 3,
        POSITIONS: 3,
    }


def test_a_dead_letter_has_room_for_the_largest_scene() -> None:
    largest: dict[str, int] = {}
    for one in topics(KafkaSettings()):
        topic: Any = one
        largest[topic.topic] = int(topic.config["max.message.bytes"])

    assert largest[REJECTED] >= largest[SCENES] * 4 / 3 + 10_000

"""Planning, as far as it needs no service: a message in, a plan or a refusal out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backtests.strategies import CATALOGUE
from mela.errors import RejectionCode
from mela.grid import plan_runs
from mela.messages import SCENES, MessagePosition, RunChunk, read_chunk
from mela.scene import parse_scene
from mela.settings import Settings
from streaming.plan import SceneMessage, read_scene
from streaming.slices import chunk_runs

SETTINGS = Settings()
SOURCE = MessagePosition(SCENES, 0, 7)
SCENE_ID = "0b6f0000-0000-4000-8000-000000000000"
SCENE: dict[str, Any] = {
    "instruments": ["binance:BTCUSDT", "binance:ETHUSDT"],
    "interval": "1h",
    "start": "2023-01-01T00:00:00Z",
    "end": "2024-01-01T00:00:00Z",
    "strategy": {"name": "sma_cross"},
    "search": {
        "kind": "grid",
        "space": {"strategy.params.fast": {"from": 1, "to": 25, "step": 1}},
    },
}


def message(**change: Any) -> SceneMessage:
    return SceneMessage(json.dumps({**SCENE, **change}).encode(), SOURCE)


def chunks(size: int, max_bytes: int = 10**6) -> list[RunChunk]:
    plan = plan_runs(parse_scene(SCENE), CATALOGUE, max_runs=1000)
    return list(chunk_runs(plan.expand(), SCENE_ID, size=size, max_bytes=max_bytes))


def test_a_scene_that_holds_is_planned_under_its_own_id() -> None:
    asked = read_scene(message(scene_id=SCENE_ID), SETTINGS)
    assert asked.refused is None
    assert str(asked.scene_id) == SCENE_ID
    assert asked.plan is not None
    assert asked.plan.runs == 50


def test_a_scene_without_id_gets_the_same_one_at_every_reading() -> None:
    first, again = (read_scene(message(), SETTINGS) for _ in range(2))
    assert first.scene_id == again.scene_id == SOURCE.scene_id


@pytest.mark.parametrize("raw", [None, b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 5000])
def test_what_is_no_json_is_refused_without_an_id(raw: bytes | None) -> None:
    asked = read_scene(SceneMessage(raw, SOURCE), SETTINGS)
    assert asked.scene_id is None
    assert asked.refused is not None
    assert asked.refused.code is RejectionCode.NOT_JSON


def test_a_key_that_comes_again_is_refused_by_its_name() -> None:
    raw = b'{"cash": 5, "interval": "1d", "costs": {"fee": 0.1, "fee": 0.2}}'
    asked = read_scene(SceneMessage(raw, SOURCE), SETTINGS)
    assert asked.refused is not None
    assert (asked.refused.code, asked.refused.field) == (RejectionCode.INVALID_FIELD, "fee")


def test_a_refused_scene_keeps_the_id_that_could_be_read() -> None:
    asked = read_scene(message(scene_id=SCENE_ID, cash=-1), SETTINGS)
    assert str(asked.scene_id) == SCENE_ID
    assert asked.refused is not None
    assert (asked.refused.code, asked.refused.field) == (RejectionCode.INVALID_FIELD, "cash")


def test_text_that_no_table_holds_is_refused() -> None:
    asked = read_scene(message(name="a\x00b"), SETTINGS)
    assert asked.refused is not None
    assert asked.refused.field == "name"


def test_a_message_beyond_the_limit_is_refused_unread() -> None:
    limit = SETTINGS.kafka.max_message_bytes
    asked = read_scene(SceneMessage(b" " * (limit + 1), SOURCE), SETTINGS)
    assert asked.refused is not None
    assert asked.refused.code is RejectionCode.TOO_LARGE


def test_chunks_hold_one_series_each_and_are_bounded_and_numbered() -> None:
    found = chunks(size=10)
    assert [chunk.chunk for chunk in found] == list(range(6))
    assert [len(chunk.runs) for chunk in found] == [10, 10, 5, 10, 10, 5]
    assert all(len({run.instrument for run in chunk.runs}) == 1 for chunk in found)


def test_a_chunk_too_large_in_bytes_is_halved_until_it_fits() -> None:
    found = chunks(size=25, max_bytes=2000)
    assert len(found) > 2
    assert max(len(chunk.to_bytes()) for chunk in found) <= 2000
    assert [run for chunk in found for run in chunk.runs] == [
        run for chunk in chunks(size=25) for run in chunk.runs
    ]


def test_chunks_come_out_the_same_at_every_planning() -> None:
    assert [chunk.to_bytes() for chunk in chunks(10)] == [chunk.to_bytes() for chunk in chunks(10)]


def test_the_run_query_reads_what_the_plan_query_wrote() -> None:
    for chunk in chunks(10):
        assert read_chunk(chunk.to_bytes(), CATALOGUE) == chunk._replace(runs=tuple(chunk.runs))

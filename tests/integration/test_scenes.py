"""A scene goes in through Kafka; its results come out in Kafka and Postgres, once each."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from sqlalchemy import text

import replay
from mela.messages import CHUNK_RESULTS, PROGRESS, RUNS, SCENES, MessagePosition, State
from mela.result import Result
from mela.result_columns import columns_of
from mela.settings import Settings
from messaging.columns import to_arrow
from messaging.publisher import Publisher
from services.scenes.rejected import Letters
from tests.conftest import typed
from tests.integration.asking import (
    ONE,
    answers,
    grid,
    publish,
    results_in_kafka,
    results_tail,
    scene_of,
    send,
    stored_scene,
    wait_for,
)
from warehouse.database import transaction
from warehouse.scenes import records as scenes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
PACKAGED = Path(replay.__file__).parent / "data"
TIMED = ("computed_at", "scene_id", "result_key", "candles_revision", "cached", "lookahead")


def without_circumstances(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in TIMED}


def test_results_come_to_kafka_and_to_postgres(platform: Settings) -> None:
    scene = scene_of(search=grid(3, 4), instruments=["binance:BTCUSDT", "binance:ETHUSDT"])
    heard = results_tail(platform)
    last = publish(scene, platform)
    assert (last.state, last.runs, last.recorded, last.cached) == (State.FINISHED, 24, 24, 0)
    in_kafka = results_in_kafka(heard, scene.scene_id, 24)
    heard.close()
    in_postgres = answers(scene.scene_id, platform)
    assert sorted(in_kafka, key=lambda one: one["run_key"]) == in_postgres
    for document in in_postgres:
        Result.model_validate(document)
        assert document["status"] == "succeeded"


def test_a_backtest_without_services_gives_the_same_numbers(
    platform: Settings, tmp_path: Path
) -> None:
    scene = scene_of(exits={"stop_loss": 0.03, "take_profit": 0.1}, search=grid(2, 3))
    publish(scene, platform)
    file = tmp_path / "scene.yaml"
    file.write_text(yaml.safe_dump(scene.model_dump(mode="json", by_alias=True)))
    candles = next(PACKAGED.glob("*BTCUSDT*1h*.parquet"))
    done = typed("backtest", str(file), "--candles", str(candles), "--json", home=platform.home)
    assert done.returncode == 0, done.stderr
    here = sorted(json.loads(done.stdout), key=lambda one: one["run_key"])
    there = answers(scene.scene_id, platform)
    assert len(here) == 6
    assert [without_circumstances(one) for one in here] == [
        without_circumstances(one) for one in there
    ]
    assert {(one["scene_id"], one["result_key"], one["candles_revision"]) for one in here} == {
        (None, None, None)
    }


def test_the_same_scene_computed_twice_is_equal_to_the_last_bit(platform: Settings) -> None:
    scene = scene_of(search=grid(2, 2))
    publish(scene, platform)
    first = answers(scene.scene_id, platform)
    keys = [one["result_key"] for one in first]
    with transaction(platform) as connection:
        for table in ("ops.trade", "ops.equity", "ops.scene_run", "ops.result"):
            forget = text(f"DELETE FROM {table} WHERE result_key = ANY(:keys)")
            connection.execute(forget, {"keys": keys})
    again = scene.model_copy(update={"scene_id": uuid4()})
    last = publish(again, platform)
    assert last.cached == 0
    second = answers(again.scene_id, platform)
    assert [one["result_key"] for one in second] == keys
    for before, after in zip(first, second, strict=True):
        assert without_circumstances(before) == without_circumstances(after)


def test_what_is_stored_is_answered_without_computing_it_again(platform: Settings) -> None:
    scene = scene_of(search=grid(2, 3))
    publish(scene, platform)
    wider = scene_of(search=grid(3, 3), cash=scene.cash)
    heard = results_tail(platform)
    last = publish(wider, platform)
    assert (last.runs, last.cached) == (9, 6)
    found = results_in_kafka(heard, wider.scene_id, 9)
    heard.close()
    assert sum(one["cached"] for one in found) == 6
    stored = {one["run_key"]: one for one in answers(scene.scene_id, platform)}
    for one in found:
        if one["cached"]:
            assert without_circumstances(one) == without_circumstances(stored[one["run_key"]])


def test_the_same_id_with_the_same_content_changes_nothing(platform: Settings) -> None:
    scene = scene_of()
    publish(scene, platform)
    before = stored_scene(scene.scene_id, platform)
    send(scene, platform)
    publish(scene_of(), platform)  # scenes are planned in order: the repeated one is through
    assert stored_scene(scene.scene_id, platform) == before


def test_the_same_id_with_other_content_is_refused_and_touches_nothing(platform: Settings) -> None:
    scene = scene_of()
    publish(scene, platform)
    before = stored_scene(scene.scene_id, platform)
    other = scene.model_copy(update={"cash": scene.cash + 0.5})
    body = other.model_dump_json(by_alias=True, exclude_none=True).encode()
    with Letters(platform) as letters:
        send(other, platform)
        letter = letters.about(body)
    assert (letter.code, letter.field) == ("scene_id_reused", "scene_id")
    assert stored_scene(scene.scene_id, platform) == before


def test_the_id_of_a_rejected_scene_is_free_again(platform: Settings) -> None:
    scene = scene_of()
    wrong = scene.model_copy(update={"instruments": ("binance:NOSUCHCOIN",)})
    assert publish(wrong, platform).state is State.REJECTED
    assert getattr(stored_scene(scene.scene_id, platform), "status", None) == "rejected"
    assert publish(scene, platform).state is State.FINISHED


def bad(**change: Any) -> bytes:
    return json.dumps({**ONE, "scene_id": str(uuid4()), **change}).encode()


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        (b"", "not_json", None),
        (b"\xff\xfe{", "not_json", None),
        (b'{"scene_id": ', "not_json", None),
        (b"[" * 2000 + b"]" * 2000, "not_json", None),
        (b"7", "invalid_field", None),
        (b"[]", "invalid_field", None),
        (b"{}", "invalid_field", "instruments"),
        (bad(schema_version=2), "unsupported_version", "schema_version"),
        (bad(scene_id="not-a-uuid"), "invalid_field", "scene_id"),
        (bad(scene_id=7), "invalid_field", "scene_id"),
        (bad(cash="10000"), "invalid_field", "cash"),
        (bad(name="a\x00b"), "invalid_field", "name"),
        (bad(start="2023-01-01T00:00:00"), "invalid_field", "start"),
        (bad(exits={"stop_loss": 2}), "invalid_field", "exits.stop_loss"),
        (bad(strategy={"name": "__import__('os')"}), "unknown_strategy", "strategy.name"),
        (bad(instruments=["binance:NOSUCHCOIN"]), "unknown_instrument", "instruments.0"),
        (
            bad(search={"kind": "grid", "space": {"cash": {"from": 1, "to": 1e9, "step": 1}}}),
            "too_many_runs",
            "search.space",
        ),
        (
            bad(search={"kind": "grid", "space": {"strategy.params.fast": [60, 70]}}),
            "nothing_to_run",
            "search.space",
        ),
        (bad(name="x" * 1_100_000), "too_large", None),
    ],
)
def test_bad_input_is_kept_whole_and_told_apart(
    platform: Settings, raw: bytes, code: str, field: str | None
) -> None:
    with Letters(platform) as letters:
        with Publisher(platform.kafka) as publisher:
            publisher.send(SCENES, "bad", raw)
        letter = letters.about(raw)
    assert (letter.code, letter.field, letter.topic) == (code, field, SCENES)
    assert base64.b64decode(letter.original) == raw
    assert len(letter.sentence) > 10
    scene_id = readable_id(raw)
    if scene_id is not None and code not in {"not_json", "too_large"}:
        # the letter goes out before the row is stored
        scene = wait_for(lambda: stored_scene(scene_id, platform), 30, "the rejection was stored")
        assert (scene.status, scene.rejection_code) == ("rejected", code)


def readable_id(raw: bytes) -> UUID | None:
    try:
        document = json.loads(raw)
        return UUID(document["scene_id"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


@pytest.mark.parametrize("topic", [RUNS, CHUNK_RESULTS])
def test_what_cannot_be_read_on_an_inner_topic_goes_to_the_rejected(
    platform: Settings, topic: str
) -> None:
    raw = b'{"nonsense": true}'
    with Letters(platform) as letters:
        with Publisher(platform.kafka) as publisher:
            publisher.send(topic, "bad", raw)
        letter = letters.about(raw)
    assert (letter.topic, letter.code) == (topic, "invalid_field")


def test_a_result_of_no_scene_is_refused(platform: Settings) -> None:
    scene = scene_of()
    publish(scene, platform)
    orphan = {**answers(scene.scene_id, platform)[0], "scene_id": str(uuid4())}
    [columns] = columns_of([orphan])
    raw = to_arrow(columns)
    with Letters(platform) as letters:
        with Publisher(platform.kafka) as publisher:
            publisher.send(CHUNK_RESULTS, "orphan", raw)
        assert orphan["scene_id"] in letters.about(raw).sentence


def test_nonsense_on_the_progress_topic_stops_nobody(platform: Settings) -> None:
    with Publisher(platform.kafka) as publisher:
        publisher.send(PROGRESS, "bad", b"\xff")
    assert publish(scene_of(), platform).state is State.FINISHED


def test_a_scene_without_an_id_gets_one(platform: Settings) -> None:
    body = json.dumps({**ONE, "name": f"anonymous {uuid4()}"}).encode()
    with Publisher(platform.kafka) as publisher:
        publisher.send(SCENES, "none", body)
    name = json.loads(body)["name"]

    def found() -> bool:
        with transaction(platform) as connection:
            status = text("SELECT status FROM ops.scene WHERE name = :name")
            return connection.scalar(status, {"name": name}) == "finished"

    wait_for(found, 60, "the scene without an id was finished")


def test_a_known_instrument_without_candles_has_no_data(platform: Settings) -> None:
    scene = scene_of(start="2015-01-01T00:00:00Z", end="2015-02-01T00:00:00Z")
    assert publish(scene, platform).state is State.FINISHED
    [result] = answers(scene.scene_id, platform)
    assert (result["status"], result["candles"], result["sharpe"]) == ("no_data", 0, None)


def test_stocks_run_on_sessions(platform: Settings) -> None:
    scene = scene_of(
        instruments=["yahoo:AAPL"],
        interval="1d",
        start="2020-01-01T00:00:00Z",
        end="2021-01-01T00:00:00Z",
    )
    publish(scene, platform)
    [result] = answers(scene.scene_id, platform)
    assert (result["status"], result["candles"]) == ("succeeded", 253)
    assert result["periods_per_year"] == 252.0
    assert "too_few_trades" in result["warnings"]  # a few crossings in a year of days
    assert not {"starts_late", "ends_early", "gaps", "short_span"} & set(result["warnings"])


def test_a_cancelled_scene_ends_without_running(platform: Settings) -> None:
    scene = scene_of()
    content = scene.content()
    with transaction(platform) as connection:  # it is received but, as after a kill, not planned
        scenes.receive(
            connection,
            scene.scene_id or uuid4(),
            content,
            scene.content_hash(),
            runs=1,
            skipped=0,
            name=None,
            origin=MessagePosition(SCENES, 0, 0),
        )
    done = typed("cancel", str(scene.scene_id), home=platform.home)
    assert done.returncode == 0, done.stderr
    send(scene, platform)
    publish(scene_of(), platform)
    assert answers(scene.scene_id, platform) == []
    assert getattr(stored_scene(scene.scene_id, platform), "status", None) == "cancelled"

"""messaging/schemas: today's code reads the messages of each release, and the other way round."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import mela
from backtests.strategies import CATALOGUE
from mela.messages import (
    CHUNK_RESULTS,
    PROGRESS,
    REJECTED,
    RESULTS,
    RUNS,
    SCENES,
    Progress,
    Rejection,
    read_chunk,
)
from mela.result import Result
from mela.scene import parse_scene
from mela.settings import REPOSITORY
from mela.trading_messages import FILLS, ORDERS, POSITIONS, FillTold, OrderTold, PositionsTold
from messaging.columns import from_arrow
from messaging.compatibility import FORWARD, faults
from messaging.described import schemas
from services.releases import FOLDER, frozen, released, samples, write

RELEASES = sorted(path.name for path in FOLDER.iterdir())
READERS: dict[str, Callable[[bytes], Any]] = {
    SCENES: lambda raw: parse_scene(json.loads(raw)),
    RUNS: lambda raw: read_chunk(raw, CATALOGUE),
    RESULTS: Result.model_validate_json,
    CHUNK_RESULTS: from_arrow,
    PROGRESS: Progress.model_validate_json,
    REJECTED: Rejection.model_validate_json,
    ORDERS: OrderTold.of_bytes,
    FILLS: FillTold.of_bytes,
    POSITIONS: PositionsTold.of_bytes,
}
SAMPLES = sorted(FOLDER.glob("*/samples/*"))


def topic_of(sample: Path) -> str:
    return sample.name.partition("-")[0]


def stored(release: str, topic: str) -> Any:
    return json.loads((FOLDER / release / f"{topic}.json").read_text(encoding="utf-8"))


def test_every_release_has_its_schemas() -> None:
    out = released((REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert {*out, mela.__version__} <= set(RELEASES)
    assert {topic_of(one) for one in SAMPLES} == set(schemas())


@pytest.mark.parametrize("topic", schemas())
def test_messages_have_the_schema_of_their_version(topic: str) -> None:
    path = FOLDER / mela.__version__ / f"{topic}.json"
    assert frozen(schemas()[topic]) == path.read_text(encoding="utf-8"), (
        f"messages of {topic} changed: run `python -m services.releases`, "
        "and raise the version first if it is out"
    )


@pytest.mark.parametrize("release", RELEASES)
def test_no_release_is_left_behind(release: str) -> None:
    today = schemas()
    assert [
        one for topic in today for one in faults(topic, stored(release, topic), today[topic])
    ] == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_todays_code_reads_what_a_release_sent(sample: Path) -> None:
    raw, topic = sample.read_bytes(), topic_of(sample)
    read = READERS[topic](raw)
    if topic == RUNS:
        assert (len(read.runs), dict(read.unfit)) in [(8, {}), (1, {})]
    if sample.suffix == ".json":
        Draft202012Validator(stored(sample.parts[-3], topic)).validate(json.loads(raw))


def test_the_messages_that_are_sent_now_fit_the_schemas() -> None:
    today = schemas()
    for sample in samples():
        READERS[sample.topic](sample.content)
        if sample.topic != CHUNK_RESULTS:
            Draft202012Validator(today[sample.topic]).validate(json.loads(sample.content))


def changed(topic: str, *path: str, **change: Any) -> Any:
    """Return today's schema with a part of it changed; None removes."""
    schema = copy.deepcopy(schemas()[topic])
    part = schema
    for name in path:
        part = part[name]
    for name, value in change.items():
        if value is None:
            part.pop(name)
        else:
            part[name] = value
    return schema


TEXT = {"type": "string"}
BREAKS: list[tuple[str, Any]] = [
    ("runs may be there, but is not known", (PROGRESS, "properties", {"runs": None})),
    ("new may be missing", (SCENES, "", {"required": ["new"]})),
    ("cash may be of type number, but string", (SCENES, "properties", {"cash": TEXT})),
    ("state may be rejected, planned", (PROGRESS, "$defs.State", {"enum": ["finished"]})),
    ("state may be asleep", (PROGRESS, "$defs.State", {"enum": ["asleep"]})),
    ("chunk has the minimum 0, but 1", (RUNS, "properties.chunk", {"minimum": 1})),
    (
        "sharpe may be of type double, but float",
        (CHUNK_RESULTS, "properties.sharpe", {"type": "float"}),
    ),
    ("it has the version 1, but 2", (CHUNK_RESULTS, "", {"version": "2"})),
    ("status may be succeeded", (CHUNK_RESULTS, "shared.$defs.Status", {"enum": ["failed"]})),
    ("topic may be missing", (REJECTED, "", {"required": ["original"]})),
    ("fee may be missing", (FILLS, "", {"required": ["fill_id"]})),
    ("side may be hold", (ORDERS, "properties.side", {"enum": ["hold"]})),
]
HOLDS: list[Any] = [
    (SCENES, "properties", {"colour": TEXT}),
    (PROGRESS, "properties", {"colour": TEXT}),
    (RUNS, "", {"additionalProperties": True}),
    (CHUNK_RESULTS, "properties", {"new_metric": {"type": "double"}}),
    (SCENES, "", {"required": ["instruments"]}),
    (RUNS, "properties.chunk", {"minimum": None}),
]


def of(change: Any) -> tuple[str, Any]:
    topic, path, values = change
    return topic, changed(topic, *filter(None, path.split(".")), **values)


@pytest.mark.parametrize(("sentence", "change"), BREAKS, ids=lambda one: str(one)[:40])
def test_a_change_that_breaks_readers_is_named(sentence: str, change: Any) -> None:
    topic, new = of(change)
    found = faults(topic, schemas()[topic], new)
    assert any(sentence in one for one in found), found


@pytest.mark.parametrize("change", HOLDS, ids=lambda one: str(one)[:40])
def test_a_change_that_breaks_nobody_is_allowed(change: Any) -> None:
    topic, new = of(change)
    assert faults(topic, schemas()[topic], new) == []


def test_what_only_readers_of_results_would_miss_is_allowed_elsewhere() -> None:
    """A scene may say more than an older planner knew; a result may not say what clients don't."""
    wider = changed(SCENES, "properties", cash={"type": ["number", "string"]})
    assert faults(SCENES, schemas()[SCENES], wider) == []
    wider = changed(PROGRESS, "$defs", "State", enum=["asleep", *Progress.__annotations__])
    assert PROGRESS in FORWARD
    assert any("may be asleep" in one for one in faults(PROGRESS, schemas()[PROGRESS], wider))


def test_a_version_that_is_out_is_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "9.9.9")
    assert len(list((tmp_path / "9.9.9").glob("*.json"))) == len(schemas())
    monkeypatch.setattr("services.releases.released", lambda _: ["9.9.9"])
    with pytest.raises(ValueError, match="Raise the version"):
        write(tmp_path, "9.9.9")

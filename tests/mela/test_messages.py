"""Messages carry what was asked and answered, whole, and refuse what they cannot read."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

import orjson
import pytest
from pydantic import BaseModel, Field, model_validator

from mela.errors import MessageInvalid, RejectionCode, SceneInvalid
from mela.grid import plan_runs
from mela.messages import (
    MessagePosition,
    Progress,
    RunChunk,
    State,
    read_chunk,
    read_stored_run,
    rejection,
)
from mela.result import run_fields
from mela.run import Whole
from mela.scene import parse_scene
from tests.mela.catalogue import CATALOGUE, Cross, CrossParams, with_space

SCENE_ID = "0b6f0000-0000-4000-8000-000000000000"
NOW = datetime(2024, 1, 1, tzinfo=UTC)


def chunk() -> RunChunk:
    document = with_space(
        strategy__params__fast=[5, 10],
        exits__stop_loss=[None, 0.05],
        costs__fee=[0.001, 0.002],
        interval=["1h", "1d"],
    )
    plan = plan_runs(parse_scene(document), CATALOGUE, max_runs=100)
    return RunChunk(SCENE_ID, 3, tuple(plan.expand()))


def test_runs_survive_the_wire() -> None:
    sent = chunk()
    read = read_chunk(sent.to_bytes(), CATALOGUE)
    assert (read.scene_id, read.chunk) == (SCENE_ID, 3)
    assert read.runs == sent.runs


def test_a_chunk_says_once_what_its_runs_share() -> None:
    document = orjson.loads(chunk().to_bytes())
    assert set(document["runs"][0]) == {"run_key", "interval", "params", "exits", "costs"}
    assert document["common"]["cash"] == 10_000.0


def test_a_run_that_does_not_match_its_key_is_refused() -> None:
    raw = chunk().to_bytes().replace(b'"stop_loss":0.05', b'"stop_loss":0.06')
    with pytest.raises(MessageInvalid) as caught:
        read_chunk(raw, CATALOGUE)
    assert caught.value.field == "runs.1.run_key"


class Narrower(CrossParams):
    """What an edit may make of a strategy's parameters: 5 is too few now."""

    fast: Whole = Field(default=10, ge=8)


class Edited(Cross):
    digest = "e" * 64
    params = Narrower


def test_a_run_that_an_edited_strategy_takes_no_more_is_known_as_unfit() -> None:
    planned = {"sma_cross": CATALOGUE["sma_cross"].digest}
    raw = chunk()._replace(digests=planned).to_bytes()
    read = read_chunk(raw, {"sma_cross": Edited()})
    few = {run.run_key for run in chunk().runs if run.params["fast"] == 5}
    assert set(read.unfit) == few
    assert "sma_cross was edited" in read.unfit[min(few)]
    # what it was asked with, and by which key, is told as it came
    for told, sent in zip(read.runs, chunk().runs, strict=True):
        assert (told.run_key, dict(told.params)) == (sent.run_key, dict(sent.params))
        assert (told.start, told.exits, told.costs) == (sent.start, sent.exits, sent.costs)


@pytest.mark.parametrize("error", [ZeroDivisionError(), PermissionError("no"), SystemExit(1)])
@pytest.mark.parametrize("asked", ["warmup", "params"])
def test_runs_of_a_strategy_whose_code_fails_are_unfit_and_stop_no_other(
    error: BaseException, asked: str
) -> None:
    """Its file may read another one, which is gone by now: each run ends with the reason."""

    class Failing(CrossParams):
        @model_validator(mode="after")
        def _fails(self) -> Self:
            raise error

    class Broken(Cross):
        params = Failing if asked == "params" else CrossParams

        def warmup(self, params: Mapping[str, Any] | BaseModel) -> int:
            raise error

    raw = chunk()._replace(digests={"sma_cross": Broken.digest}).to_bytes()
    read = read_chunk(raw, {"sma_cross": Broken()})
    assert set(read.unfit) == {run.run_key for run in chunk().runs}
    assert type(error).__name__ in next(iter(read.unfit.values()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"params":{', b'"params":[1],"x":{'),
        (b'"instrument":"', b'"instrument":{},"x":"'),
        (b"2023-01", b"0000-01"),
    ],
)
def test_a_chunk_of_another_shape_is_refused_whatever_it_raises(old: bytes, new: bytes) -> None:
    raw = chunk().to_bytes()
    assert old in raw
    for digests in ({}, {"sma_cross": "e" * 64}):
        changed = chunk()._replace(digests=digests).to_bytes().replace(old, new)
        with pytest.raises(MessageInvalid):
            read_chunk(changed, CATALOGUE)


def test_all_runs_of_a_strategy_that_is_gone_are_unfit() -> None:
    raw = chunk()._replace(digests={"sma_cross": "d" * 64}).to_bytes()
    assert set(read_chunk(raw, {}).unfit) == {run.run_key for run in chunk().runs}


def test_a_chunk_that_is_wrong_besides_is_refused_all_the_same() -> None:
    raw = chunk()._replace(digests={"sma_cross": "d" * 64}).to_bytes()
    with pytest.raises(MessageInvalid, match="expected a valid run"):
        read_chunk(raw.replace(b'"cash":10000.0', b'"cash":-1.0'), {})


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (None, RejectionCode.NOT_JSON),
        (b"", RejectionCode.NOT_JSON),
        (b"\xff\x00", RejectionCode.NOT_JSON),
        (b"{}", RejectionCode.INVALID_FIELD),
        (b"[]", RejectionCode.INVALID_FIELD),
        (chunk().to_bytes().replace(b"sma_cross", b"sma_croak"), RejectionCode.INVALID_FIELD),
        (chunk().to_bytes().replace(b'"fast":5', b'"fast":-5'), RejectionCode.INVALID_FIELD),
    ],
)
def test_an_unreadable_chunk_is_refused(raw: bytes | None, code: RejectionCode) -> None:
    with pytest.raises(MessageInvalid) as caught:
        read_chunk(raw, CATALOGUE)
    assert caught.value.code is code


def test_a_stored_result_tells_its_run() -> None:
    for run in chunk().runs:
        assert read_stored_run(run_fields(run, "d" * 64), CATALOGUE) == run


def test_a_scene_without_id_gets_one_from_where_it_was_read() -> None:
    first, again = MessagePosition("mela.scenes", 0, 7), MessagePosition("mela.scenes", 0, 7)
    assert first.scene_id == again.scene_id != MessagePosition("mela.scenes", 0, 8).scene_id


def test_a_dead_letter_keeps_the_bytes_as_they_came() -> None:
    original = b'{"broken": \xff'
    refused = SceneInvalid(RejectionCode.NOT_JSON, None, "expected JSON")
    letter = rejection(
        original, MessagePosition("mela.scenes", 2, 9), refused, code_version="1", at=NOW
    )
    assert base64.b64decode(orjson.loads(letter.to_bytes())["original"]) == original
    assert letter.key == "mela.scenes:2:9"


def test_readers_can_tell_the_furthest_state() -> None:
    def at(state: State, recorded: int | None = None) -> tuple[int, int]:
        scene_id = UUID(SCENE_ID)
        return Progress(scene_id=scene_id, state=state, at=NOW, recorded=recorded).place

    order = [
        at(State.REJECTED),
        at(State.PLANNED),
        at(State.RECORDED, 1),
        at(State.RECORDED, 2),
        at(State.FINISHED),
    ]
    assert order == sorted(order)
    assert at(State.CANCELLED) > at(State.RECORDED, 99)

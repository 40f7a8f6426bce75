"""Reading results, as far as it needs no service."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from pydantic import ValidationError

from backtests.simulate import provenance
from backtests.strategies import CATALOGUE
from mela.errors import MessageInvalid, RejectionCode
from mela.grid import plan_runs
from mela.messages import PROGRESS, MessagePosition, Progress, State
from mela.result import OWN, Outcome, Result, Status, result_document
from mela.scene import parse_scene
from streaming.conclude import ProgressMessage, recorded_scenes
from streaming.record import read_result
from tests.streaming.test_plan import SCENE, SCENE_ID


def document(scene_id: str | None = SCENE_ID) -> dict[str, object]:
    run = next(plan_runs(parse_scene(SCENE), CATALOGUE, max_runs=1000).expand())
    outcome = Outcome(run, Status.NO_DATA)
    return result_document(outcome, provenance("sma_cross", 3), scene_id=scene_id)


def spelled(told: dict[str, object]) -> list[bytes]:
    """Return a document in JSON: as its model has the fields, and what runs share first."""
    return [orjson.dumps(told), orjson.dumps(dict(sorted(told.items(), key=in_own)))]


def in_own(field: tuple[str, object]) -> tuple[bool, bool]:
    return field[0] in OWN, field[0] != "run_key"


def test_a_result_is_read_as_it_was_written() -> None:
    written = document()
    for raw in spelled(written):
        assert read_result(raw) == written


def test_what_comes_twice_is_no_result() -> None:
    (_, raw) = spelled(document())
    shared, own = raw.split(b',"run_key":', 1)
    for twice in (shared + b',"cached":1', shared + b',"cached":true,"run_key":' + own[:70]):
        with pytest.raises(MessageInvalid):
            read_result(twice + b',"run_key":' + own[:-1] + b',"candles":-1.5}')


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (None, RejectionCode.NOT_JSON),
        (b"{", RejectionCode.NOT_JSON),
        (b"{}", RejectionCode.INVALID_FIELD),
        (orjson.dumps(document() | {"run_key": "short"}), RejectionCode.INVALID_FIELD),
        (orjson.dumps(document() | {"status": "fine"}), RejectionCode.INVALID_FIELD),
        (orjson.dumps(document() | {"extra": 1}), RejectionCode.INVALID_FIELD),
        (orjson.dumps(document() | {"costs": {"fee": 2}}), RejectionCode.INVALID_FIELD),
        (orjson.dumps(document() | {"blocks": "short"}), RejectionCode.INVALID_FIELD),
        (orjson.dumps(document())[:-1] + b', "sharpe": NaN}', RejectionCode.NOT_JSON),
        (b"[]", RejectionCode.INVALID_FIELD),
    ],
)
def test_what_is_no_result_is_refused(raw: bytes | None, code: RejectionCode) -> None:
    with pytest.raises(MessageInvalid) as caught:
        read_result(raw)
    assert caught.value.code is code


ODD = [None, True, 0, 1, -1.5, "x", "0" * 64, "A" * 512, [], ["x"], {}, {"a": 1}, "2024-01-01"]


@pytest.mark.parametrize("field", list(Result.model_fields))
def test_a_result_is_taken_just_where_its_model_takes_it(field: str) -> None:
    """Most of a result is looked at by hand, which must never be kinder than the model."""
    for raw in [raw for odd in ODD for raw in spelled(document() | {field: odd})]:
        try:
            Result.model_validate_json(raw)
        except ValidationError:
            with pytest.raises(MessageInvalid):
                read_result(raw)
        else:
            assert read_result(raw) == orjson.loads(raw)
    is_required = Result.model_fields[field].is_required()
    for raw in spelled({k: v for k, v in document().items() if k != field}):
        with pytest.raises(MessageInvalid) if is_required else nullcontext():
            read_result(raw)


def progress(state: State, recorded: int, runs: int = 3) -> bytes:
    now = datetime.now(UTC)
    scene_id = UUID(SCENE_ID)
    message = Progress(scene_id=scene_id, state=state, at=now, runs=runs, recorded=recorded)
    return message.to_bytes()


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        ([progress(State.RECORDED, 2)], []),
        ([progress(State.RECORDED, 3)], [SCENE_ID]),
        ([progress(State.RECORDED, 3), progress(State.RECORDED, 3)], [SCENE_ID]),
        ([progress(State.FINISHED, 3)], []),
        ([b"nonsense", None, progress(State.RECORDED, 3)], [SCENE_ID]),
    ],
)
def test_only_a_scene_recorded_to_its_last_run_is_concluded(
    messages: list[bytes | None], found: list[str]
) -> None:
    source = MessagePosition(PROGRESS, 0, 0)

    read = recorded_scenes(ProgressMessage(message, source) for message in messages)

    assert list(read.scenes) == found
    refused = [message.value for message, _ in read.refused]
    assert refused == [one for one in messages if one in (b"nonsense", None)]

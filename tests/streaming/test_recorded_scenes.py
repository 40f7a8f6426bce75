"""Which scenes the messages of mela.progress call recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from mela.messages import PROGRESS, MessagePosition, Progress, State
from streaming.conclude import ProgressMessage, recorded_scenes
from tests.streaming.test_plan import SCENE_ID


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

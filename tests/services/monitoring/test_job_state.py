"""The job's state goes through its file unchanged, and a broken file is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.monitoring.job_state import (
    SILENT_S,
    JobState,
    QueryState,
    Saying,
    now,
    read_state,
    state_file,
    write_state,
)

SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FAILING = QueryState(name="plan", failures=7, failing_since=SINCE, reason="connection refused")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    state_file(tmp_path).parent.mkdir()
    assert read_state(tmp_path) is None
    state = JobState(pid=7, at=SINCE, ready=False, queries=(FAILING, QueryState(name="run")))
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state


def test_a_failing_query_says_since_when_how_often_and_why() -> None:
    assert FAILING.sentence() == (
        "the query plan failed 7 times since 2026-01-02 03:04:05Z and is repeated until it "
        "succeeds (connection refused)"
    )


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    state_file(tmp_path).parent.mkdir()
    state_file(tmp_path).write_text("{")
    with pytest.raises(ValueError, match=r"state\.json holds no job state"):
        read_state(tmp_path)


def test_a_stuck_query_says_since_when_and_how_much_waits() -> None:
    stuck = QueryState(name="run", waiting=12, stuck_since=SINCE)
    assert not stuck.is_well
    assert stuck.sentence() == (
        "the query run is stuck: 12 messages waiting, and nothing done since 2026-01-02 03:04:05Z"
    )


def test_a_job_that_says_nothing_is_not_taken_for_a_healthy_one() -> None:
    old = JobState(pid=7, at=now() - timedelta(seconds=SILENT_S + 5), ready=True, queries=())
    assert str(old.silence()).startswith("it runs, but has said nothing of its queries for 5")
    assert old.model_copy(update={"at": now()}).silence() is None


def test_a_full_disk_ends_no_job_and_the_state_is_written_once_there_is_room(
    tmp_path: Path,
) -> None:
    in_the_way = state_file(tmp_path).with_suffix(".part")
    in_the_way.mkdir(parents=True)  # nothing can be written there: an OSError, as of a full disk
    state, saying = JobState(pid=7, at=SINCE, ready=True, queries=()), Saying(tmp_path)

    saying.say(state)
    assert read_state(tmp_path) is None
    in_the_way.rmdir()
    saying.say(state)
    assert read_state(tmp_path) == state

    saying.say(state.model_copy(update={"pid": 8}))  # the same, and not due yet
    assert read_state(tmp_path) == state
    saying.say(state.model_copy(update={"ready": False}))
    assert read_state(tmp_path) == state.model_copy(update={"ready": False})

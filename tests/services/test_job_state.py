"""The job's state goes through its file unchanged, and a broken file is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.job_state import JobState, QueryState, read_state, state_file, write_state

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

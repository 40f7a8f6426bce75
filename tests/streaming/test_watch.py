"""A query that fails for long is told of once, and once again when it works."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from services.monitoring.job_state import LONGEST_REASON
from streaming.watch import ALERT_AFTER_S, BACKOFF_S, JobWatch, QueryWatch, Reach


def failing_for(seconds: float) -> QueryWatch:
    one = QueryWatch("run")
    one.started()
    one.failed("\n  connection refused\nand a traceback")
    assert one.failing_since is not None
    one.failing_since -= timedelta(seconds=seconds)
    return one


def test_waits_grow_until_a_batch_succeeds_and_not_with_the_time_that_an_attempt_takes() -> None:
    one = QueryWatch("run")
    waits = []
    for _ in range(len(BACKOFF_S) + 2):
        one.started()
        waits.append(one.failed("away"))
    assert waits == [*BACKOFF_S, BACKOFF_S[-1], BACKOFF_S[-1]]
    one.started()
    one.advanced()
    assert one.failed("away") == BACKOFF_S[0]


def test_an_alert_comes_once_and_is_taken_back_once() -> None:
    one = failing_for(ALERT_AFTER_S + 1)
    alert = one.overdue()
    assert alert is not None
    assert alert["query"] == "run"
    assert "failed once since" in alert["text"]
    assert "connection refused" in alert["text"]
    assert one.overdue() is None
    again = one.advanced()
    assert again is not None
    assert again["text"] == "the streaming query run works again after 1 failure"
    assert one.advanced() is None


def test_a_short_absence_alerts_nobody() -> None:
    one = failing_for(ALERT_AFTER_S - 1)
    assert one.overdue() is None
    assert one.advanced() is None
    assert one.overdue() is None


def test_the_job_is_ready_when_every_query_runs_and_none_fails() -> None:
    job = JobWatch.of(["plan", "run"])
    assert not job.state().ready
    for one in job.queries.values():
        one.started()
    assert job.state().ready
    job.queries["run"].failed("away")
    job.queries["run"].started()  # it runs, but no batch has succeeded yet
    state = job.state()
    assert (state.ready, state.pid) == (False, os.getpid())
    assert [one.failures for one in state.queries] == [0, 1]
    job.queries["run"].advanced()
    assert job.state().ready


@pytest.mark.parametrize(("reason", "shown"), [("", "no reason given"), ("a\nb", "a")])
def test_a_reason_is_one_line(reason: str, shown: str) -> None:
    one = QueryWatch("run")
    one.failed(reason)
    assert one.state().reason == shown
    one.failed("x" * 1_000)
    assert len(one.state().reason or "") == LONGEST_REASON


def waiting_for(seconds: float, one: QueryWatch, mark: int) -> tuple[str, dict[str, object]] | None:
    """Measure a query with messages waiting, as it looks after some seconds."""
    one.moved_at -= timedelta(seconds=seconds)
    return one.measured(Reach(waiting=12, mark=(mark,)), 300)


def test_a_query_that_lives_without_advancing_is_stuck_once() -> None:
    one = QueryWatch("run")
    one.started()
    assert waiting_for(1_000, one, mark=1) is None, "it moved"
    assert waiting_for(299, one, mark=1) is None
    alert = waiting_for(2, one, mark=1)
    assert alert is not None
    assert alert[0] == "query_stuck"
    assert "the query run is stuck: 12 messages waiting, and nothing done since" in str(
        alert[1]["text"]
    )
    assert not JobWatch({"run": one}).state().ready
    assert waiting_for(500, one, mark=1) is None, "once"
    goes_on = waiting_for(0, one, mark=2)
    assert goes_on is not None
    assert goes_on[0] == "query_advances"
    assert JobWatch({"run": one}).state().ready


def test_a_query_without_input_is_never_stuck() -> None:
    one = QueryWatch("run")
    one.moved_at -= timedelta(seconds=10_000)
    assert one.measured(Reach(waiting=0, mark=(1,)), 300) is None
    assert one.stuck_since is None


def test_a_long_batch_that_sends_results_is_not_stuck() -> None:
    one = QueryWatch("run")
    assert [waiting_for(299, one, mark=number) for number in range(5)] == [None] * 5


def test_nothing_is_concluded_from_no_measurement() -> None:
    """While Kafka is away nothing can advance, and nobody may say that a query hangs."""
    one = QueryWatch("run")
    assert waiting_for(0, one, mark=1) is None
    one.moved_at -= timedelta(seconds=1_000)
    assert one.measured(None, 300) is None
    assert waiting_for(299, one, mark=1) is None


def test_a_query_that_fails_is_not_called_stuck() -> None:
    one = failing_for(1)
    assert waiting_for(0, one, mark=1) is None
    assert waiting_for(1_000, one, mark=1) is None

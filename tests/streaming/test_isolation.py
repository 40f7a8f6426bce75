"""A run that kills its process, does not end or eats memory costs itself and nothing else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mela.result import Status
from streaming.isolation import Ended, alarmed, apart, marked

MEGABYTE = 2**20


def in_child(
    work: Callable[[], bytes], *, limit_s: float = 20.0, is_unwanted: Callable[[], bool] = bool
) -> bytes | Ended:
    return apart(work, limit_s=limit_s, memory_bytes=256 * MEGABYTE, is_unwanted=is_unwanted)


def forever() -> bytes:
    while True:
        pass


def stubborn() -> bytes:
    while True:
        with suppress(BaseException):  # as strategies do
            time.sleep(60)


def test_an_answer_comes_back_whole() -> None:
    answer = bytes(range(256)) * 4096  # more than a pipe holds

    assert in_child(lambda: answer) == answer


@pytest.mark.parametrize("code", [0, 3])
def test_a_run_that_ends_its_interpreter_fails(code: int) -> None:
    ended = in_child(lambda: os._exit(code))

    assert isinstance(ended, Ended)
    assert ended.status is Status.FAILED
    assert f"exit status {code}" in ended.error[1]


def test_a_run_that_crashes_names_the_signal() -> None:
    ended = in_child(lambda: os.kill(os.getpid(), signal.SIGKILL) or b"")

    assert isinstance(ended, Ended)
    assert "SIGKILL" in ended.error[1]


@pytest.mark.parametrize("work", [forever, stubborn])
def test_a_run_that_does_not_end_is_timed_out(work: Callable[[], bytes]) -> None:
    begun = time.monotonic()

    ended = in_child(work, limit_s=0.3)

    assert isinstance(ended, Ended)
    assert ended.status is Status.TIMED_OUT
    assert time.monotonic() - begun < 10.0


def test_a_run_that_eats_memory_is_out_of_memory() -> None:
    ended = in_child(lambda: np.ones(MEGABYTE * 256).tobytes())  # 2 GB

    assert isinstance(ended, Ended)
    assert ended.status is Status.OUT_OF_MEMORY
    assert "256 MB" in ended.error[1]


def test_a_run_that_nobody_wants_any_more_is_ended() -> None:
    ended = in_child(forever, is_unwanted=lambda: True)

    assert isinstance(ended, Ended)
    assert ended.status is Status.CANCELLED


def test_a_mark_stays_where_the_process_died_and_only_there(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with marked(tmp_path, "mela.runs:0:7"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)

    with marked(tmp_path, "mela.runs:0:8") as other:
        assert not other
    with marked(tmp_path, "mela.runs:0:7") as died:
        assert died
    assert not list(tmp_path.iterdir())


def test_an_error_that_repeats_the_batch_blames_no_chunk(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError), marked(tmp_path, "mela.runs:0:7"):
        raise ConnectionError

    with marked(tmp_path, "mela.runs:0:7") as died:
        assert not died


def test_a_chunk_known_to_kill_stays_known_while_services_are_away(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with marked(tmp_path, "mela.runs:0:7"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)

    with pytest.raises(ConnectionError), marked(tmp_path, "mela.runs:0:7"):
        raise ConnectionError

    with marked(tmp_path, "mela.runs:0:7") as died:
        assert died


def test_the_alarm_ends_a_process_that_no_exception_can_end() -> None:
    def items() -> Iterator[bytes]:
        yield b"quick"
        yield stubborn()

    child = os.fork()
    if child == 0:
        for _ in alarmed(items(), 0.2):
            pass
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGALRM


def test_nothing_is_armed_between_items_and_after_them() -> None:
    for _ in alarmed(iter([1, 2]), 60.0):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

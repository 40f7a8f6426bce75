"""Work in a forked process costs itself and nothing else, however it ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from backtests.forked_process import Ended, apart
from mela.outcome import Status

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


def test_an_answer_is_not_held_up_by_what_the_run_has_forked(tmp_path: Path) -> None:
    def work() -> bytes:
        left = os.fork()
        if left == 0:
            time.sleep(600)  # it holds the pipe open
            os._exit(0)
        (tmp_path / "left").write_text(str(left), encoding="ascii")
        return b"done"

    begun = time.monotonic()

    assert in_child(work, limit_s=60.0) == b"done"

    assert time.monotonic() - begun < 30.0
    left = int((tmp_path / "left").read_text(encoding="ascii"))
    deadline = time.monotonic() + 10
    while is_running(left) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(left)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

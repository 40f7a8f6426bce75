"""A run that kills its process, does not end or eats memory costs itself and nothing else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from streaming.isolation import alarmed, marked


def stubborn() -> bytes:
    while True:
        with suppress(BaseException):  # as strategies do
            time.sleep(60)


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

"""A run that kills its process, does not end or eats memory costs itself and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mela.settings import REPOSITORY, Settings
from streaming.isolation import TOGETHER_S, Marks, alarmed, end_children
from streaming.killing_timer import KillingTimer
from tests.warehouse.given import rows


def stubborn() -> bytes:
    while True:
        with suppress(BaseException):  # as strategies do
            time.sleep(60)


DIES = """
import os, signal, sys
from mela.settings import Settings
from streaming.isolation import Marks

with Marks(Settings()) as marks, marks.on([sys.argv[1]]) as died:
    print(bool(died), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def die_over(chunk: str, settings: Settings, home: Path) -> str:
    """Have a worker of another home die over a chunk; return whether one had died before it."""
    database = settings.postgres
    told = {
        "HOME": str(home),
        "POSTGRES__HOST": database.host,
        "POSTGRES__PORT": str(database.port),
        "POSTGRES__DATABASE": database.database,
        "POSTGRES__USER": database.user,
        "POSTGRES__PASSWORD": database.password.get_secret_value(),
    }
    worker = subprocess.run(
        [sys.executable, "-c", DIES, chunk],
        cwd=REPOSITORY,
        env=os.environ | {f"MELA_{name}": value for name, value in told.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert worker.returncode == -signal.SIGKILL, worker.stderr
    return worker.stdout.strip()


def marks(settings: Settings) -> list[str]:
    return [row.chunk for row in rows(settings, "SELECT chunk FROM ops.chunk_mark")]


@pytest.mark.integration
def test_a_worker_of_another_machine_knows_which_chunk_kills(
    warehouse: Settings, tmp_path: Path
) -> None:
    assert die_over("mela.runs:0:7", warehouse, tmp_path / "first") == "False"
    assert die_over("mela.runs:0:7", warehouse, tmp_path / "second") == "True"

    with Marks(warehouse) as mine, mine.on(["mela.runs:0:8"]) as other:
        assert not other
    with pytest.raises(ConnectionError), Marks(warehouse) as mine, mine.on(["mela.runs:0:7"]):
        raise ConnectionError  # a service is away: a chunk that is known to kill stays known
    assert marks(warehouse) == ["mela.runs:0:7"]

    with Marks(warehouse) as mine, mine.on(["mela.runs:0:7", "mela.runs:0:9"]) as died:
        assert died == {"mela.runs:0:7"}
    assert marks(warehouse) == []


@pytest.mark.integration
def test_chunks_one_after_the_other_are_marked_while_they_are_executed(
    warehouse: Settings,
) -> None:
    with Marks(warehouse) as mine:
        for chunk in ("mela.runs:0:7", "mela.runs:0:8"):
            with mine.on([chunk]) as died:
                assert not died
                assert marks(warehouse) == [chunk]

    assert marks(warehouse) == []


@pytest.mark.integration
def test_an_error_that_repeats_the_batch_blames_no_chunk(warehouse: Settings) -> None:
    with Marks(warehouse) as mine:
        with mine.on(["mela.runs:0:6"]):
            pass
        with pytest.raises(ConnectionError), mine.on(["mela.runs:0:7"]):
            raise ConnectionError

    with Marks(warehouse) as mine, mine.on(["mela.runs:0:6", "mela.runs:0:7"]) as died:
        assert not died


def test_the_alarm_ends_a_process_that_no_exception_can_end() -> None:
    def items() -> Iterator[bytes]:
        yield b"quick"
        yield stubborn()

    child = os.fork()
    if child == 0:
        for _ in alarmed(items(), 0.2):
            pass
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_strategy_that_ignores_every_signal_is_ended_all_the_same() -> None:
    def items() -> Iterator[bytes]:
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        yield stubborn()

    child = os.fork()
    if child == 0:
        for _ in alarmed(items(), 0.2):
            pass
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_what_a_run_has_forked_ends_with_its_chunk() -> None:
    left = os.fork()
    if left == 0:
        time.sleep(600)
        os._exit(0)

    end_children()

    with pytest.raises(ProcessLookupError):
        os.kill(left, 0)


def test_nothing_is_armed_between_items_and_after_them() -> None:
    timer = KillingTimer.of_process()

    def items() -> Iterator[int]:
        for item in range(3):
            assert 59.0 < timer.left_s() <= 60.0 + TOGETHER_S
            yield item

    found = []
    for item in alarmed(items(), 60.0):
        assert timer.left_s() == 0.0
        found.append(item)

    assert found == [0, 1, 2]
    assert timer.left_s() == 0.0


def test_items_that_are_slow_together_have_each_the_whole_limit() -> None:
    def items() -> Iterator[int]:
        for item in range(8):
            time.sleep(0.1)
            yield item

    assert list(alarmed(items(), 0.3)) == list(range(8))


def test_what_came_before_an_error_is_yielded_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    found: list[int] = []
    with pytest.raises(ValueError, match="the third"):
        found.extend(alarmed(items(), 60.0))
    assert found == [1, 2]
    assert KillingTimer.of_process().left_s() == 0.0

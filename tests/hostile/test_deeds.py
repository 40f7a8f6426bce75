"""Whatever a strategy does to its process costs its own run alone: not its chunk, not the batch.

Each chunk goes through `run_chunks` in a process that is forked as Spark forks its workers; where
it dies, the batch comes again, as Spark repeats it. Results are those that reach Kafka.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from backtests.strategies import refresh
from mela.grid import plan_runs
from mela.messages import RESULTS, RUNS, MessagePosition, RunChunk
from mela.scene import parse_scene
from mela.settings import Settings
from messaging.consumer import tail
from streaming import strategies
from streaming.run import ChunkMessage
from tests.hostile.given import ONE
from tests.hostile.worker import DONE, execute
from tests.warehouse.given import answer, load, rows

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ATTEMPTS = 3
PACKAGE = '''\
"""A strategy that does something to its process where its fast mean is 2."""

import ctypes
import os
import signal
import sys
import time

import numba
import numpy as np

from backtests.signals import Signals, crossings
from backtests.strategy import strategy
from mela.run import Part


class Deed(Part):
    fast: int = 1
    what: str = "nothing"


def loop():
    while True:
        pass


def loop_unheard():
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    loop()


@numba.njit
def _compiled(number):
    while number > 0:
        number = number * 3 % 1_000_003 + 1
    return number


def compiled_loop():
    _compiled(7)


def sleep():
    time.sleep(1e6)


def eat_slowly():
    eaten = []
    while True:
        eaten.append(b"x" * 2**20)
        time.sleep(0.002)


def eat_at_once():
    np.ones(2**45)


def sys_exit():
    sys.exit(0)


def os_exit():
    os._exit(0)


def sigkill():
    os.kill(os.getpid(), signal.SIGKILL)


def segfault():
    ctypes.string_at(0)


def keyboard():
    raise KeyboardInterrupt


def generator_exit():
    raise GeneratorExit


def base():
    raise BaseException("none of the usual")


def recursion():
    recursion()


def fork_and_stay():
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)


def print_much():
    for _ in range(100):
        print("x" * 2**20)


def fill_disk():
    with open("/dev/full", "w") as full:
        full.write("x" * 2**20)


def gigantic():
    return Signals(np.zeros(10**8, bool), np.zeros(10**8, bool))


def change_everything():
    np.seterr(all="raise")
    np.random.seed(0)
    os.environ.clear()
    os.chdir("/")
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)


def close_outputs():
    os.close(1)
    os.close(2)


@strategy(Deed, warmup=lambda params: 4)
def deed(candles, params, indicators):
    """Do something."""
    given = None
    if params.fast == 2 and len(candles.close) > 8:
        given = globals()[params.what]()
    return given or Signals(*crossings(candles.close, indicators.sma(params.fast + 1)))
'''
DIED = ("failed", "ProcessDied")
LATE = ("timed_out", "TimeLimit")
NO_MEMORY = "out_of_memory"
WELL = ("succeeded", None)


@pytest.fixture
def settings(warehouse: Settings, streams: Settings, tmp_path: Path) -> Iterator[Settings]:
    load(warehouse, answer(100.0 + np.sin(np.arange(60.0))))
    spark = warehouse.spark.model_copy(update={"run_limit_s": 2.0, "run_memory_mb": 256})
    found = warehouse.model_copy(update={"kafka": streams.kafka, "spark": spark, "home": tmp_path})
    about = found.packages / "deeds-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: deeds\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[mela.strategies]\ndeed = deeds\n")
    (found.packages / "deeds.py").write_text(PACKAGE)
    yield found
    shutil.rmtree(found.packages)
    assert "deed" not in refresh(found.packages)  # other tests have the strategies that they know


def batch(what: str, settings: Settings) -> list[ChunkMessage]:
    """Return a chunk of which one run does something, and a chunk of another scene."""
    catalogue = strategies.current(settings)
    does = {"name": "deed", "params": {"what": what}}
    chunks: list[ChunkMessage] = []
    for offset, strategy in enumerate((does, ONE["strategy"])):
        space = {"strategy.params.fast": [1, 2, 3]}
        scene = parse_scene(
            {
                **ONE,
                "scene_id": str(uuid4()),
                "strategy": strategy,
                "search": {"kind": "grid", "space": space},
            }
        )
        runs = tuple(plan_runs(scene, catalogue, max_runs=10).expand())
        digests = {run.strategy: catalogue[run.strategy].digest for run in runs}
        chunk = RunChunk(str(scene.scene_id), 0, runs, digests)
        chunks.append(ChunkMessage(chunk.to_bytes(), MessagePosition(RUNS, 0, offset)))
    return chunks


def answered(what: str, settings: Settings) -> dict[tuple[str, int], dict[str, Any]]:
    """Have workers execute the batch until one comes through; return the first results."""
    messages = batch(what, settings)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.hostile.warmed"])
    heard = tail(settings, RESULTS)
    ended: list[int | None] = []
    while DONE not in ended:
        assert len(ended) < ATTEMPTS, f"the batch never came through: {ended}"
        worker = context.Process(target=execute, args=(messages, settings))
        worker.start()
        worker.join(120)
        ended.append(worker.exitcode)
    wanted = {json.loads(message.value or b"")["scene_id"] for message in messages}
    found: dict[tuple[str, int], dict[str, Any]] = {}
    while len(found) < 6:
        message = heard.poll(20)
        assert message is not None, f"only {len(found)} runs were answered"
        document = json.loads(message.value() or b"")
        if document["scene_id"] in wanted:
            found.setdefault((document["strategy"]["name"], document["params"]["fast"]), document)
    heard.close()
    return found


@pytest.mark.parametrize(
    ("what", "ends"),
    [
        ("loop", LATE),
        ("loop_unheard", LATE),
        ("compiled_loop", LATE),
        ("sleep", LATE),
        ("eat_slowly", (NO_MEMORY, "MemoryError")),
        ("eat_at_once", (NO_MEMORY, "MemoryError")),
        ("sys_exit", ("failed", "SystemExit")),
        ("os_exit", DIED),
        ("sigkill", DIED),
        ("segfault", DIED),
        ("keyboard", DIED),
        ("generator_exit", DIED),
        ("base", DIED),
        ("recursion", ("failed", "RecursionError")),
        ("fork_and_stay", WELL),
        ("print_much", WELL),
        ("fill_disk", ("failed", "OSError")),
        ("gigantic", ("failed", "ValueError")),
        ("change_everything", WELL),
        ("close_outputs", WELL),
    ],
)
def test_what_a_strategy_does_costs_its_own_run_alone(
    settings: Settings, what: str, ends: tuple[str, str | None]
) -> None:
    found = answered(what, settings)

    one = found["deed", 2]
    assert (one["status"], (one["error"] or {}).get("class")) == ends
    for fast in (1, 3):
        assert found["deed", fast]["status"] == "succeeded"
    assert {found["sma_cross", fast]["status"] for fast in (1, 2, 3)} == {"succeeded"}
    assert not rows(settings, "SELECT chunk FROM ops.chunk_mark")

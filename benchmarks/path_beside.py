"""What the job path is compared with, measured beside it: the engine alone, a loop of Backtrader.

Both use two processes, as the path has two cores here, and the same candles and parameters.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import orjson

from backtests.simulate import run_all, warm
from backtests.strategies import CATALOGUE
from benchmarks.candles import COLUMNS, write
from benchmarks.peer import Peer
from benchmarks.scenes import TERMS
from mela.candles import Candles
from mela.grid import plan_runs
from mela.interval import Interval
from mela.run import Run
from mela.scene import Scene, parse_scene
from mela.settings import Settings
from warehouse.candles.reader import CandleReader

PROCESSES = 2
BACKTRADER_RUNS = 3  # of each process
_runs: list[Run] = []
_candles: list[Candles] = []


class EngineAlone:
    """The runs of a scene in two warm processes that have their candles in memory."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self._pool = ProcessPoolExecutor(
            PROCESSES,
            get_context("spawn"),
            initializer=_prepare,
            initargs=(scene.model_dump_json(by_alias=True, exclude_none=True), folder),
        )

    def seconds(self) -> float:
        """Return how long all runs take in both processes beside each other."""
        began = time.perf_counter()
        asked = [self._pool.submit(_execute, part, PROCESSES) for part in range(PROCESSES)]
        answered = sum(one.result() for one in asked)
        took = time.perf_counter() - began
        if answered == 0:
            raise ValueError("expected runs that succeed, but none did")
        return took

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


def _prepare(scene: str, folder: Path) -> None:
    warm()
    plan = plan_runs(parse_scene(orjson.loads(scene)), CATALOGUE, max_runs=10**6)
    _runs.extend(plan.expand())
    columns = (np.load(folder / f"{name}.npy") for name in COLUMNS)
    _candles.append(Candles(Interval.H1, *columns, start_bar=int(np.load(folder / "start.npy"))))


def _execute(part: int, parts: int) -> int:
    half = len(_runs) // parts
    runs = _runs[part * half : (part + 1) * half]
    return sum(outcome.metrics is not None for outcome in run_all(_candles[0], runs))


@contextmanager
def engine_alone(scene: Scene, settings: Settings) -> Generator[tuple[EngineAlone, Path]]:
    """Give the engine alone for a scene of one instrument, and the folder of its candles."""
    run = next(plan_runs(scene, CATALOGUE, max_runs=10**6).expand())
    reader = CandleReader(settings)
    read = reader.read(run.instrument, run.interval, run.start, run.end, 512, run.prices)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(read.candles, folder)
        np.save(folder / "start.npy", read.candles.start_bar)
        alone = EngineAlone(scene, folder)
        try:
            alone.seconds()  # warm
            yield alone, folder
        finally:
            alone.close()


def backtrader_rate(folder: Path) -> float:
    """Return the runs a second of a plain loop of Backtrader in two processes."""
    seconds: list[float] = []

    def loop(peer: Peer, pairs: Sequence[tuple[int, int]]) -> None:
        for fast, slow in pairs:
            answer = peer.ask("cross", folder=folder, **TERMS, fast=fast, slow=slow)
            seconds.append(float(answer["seconds"]))

    with Peer("backtrader") as one, Peer("backtrader") as other:
        for peer in (one, other):
            loop(peer, [(5, 20)])  # warm
        seconds.clear()
        threads = [
            threading.Thread(
                target=loop, args=(peer, [(10 + at, 150) for at in range(BACKTRADER_RUNS)])
            )
            for peer in (one, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if len(seconds) != PROCESSES * BACKTRADER_RUNS:
        raise ValueError(f"expected six answers of Backtrader, but found {len(seconds)}")
    return PROCESSES / (sum(seconds) / len(seconds))

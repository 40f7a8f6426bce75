"""Two Spark workers beside one, a core each: what a second machine would add to the first.

One stack, `mela up --cluster`, whose second worker is stopped and started between the measurements,
so that each pair is taken side by side. The runs are long (a year of minutes would be longer
still), because the question is what a worker adds where runs are what takes time: on this machine
the workers share their cores with the brokers, Postgres and the driver, and short runs would
measure those.
"""

from __future__ import annotations

import json
import os
import time
from uuid import uuid4

import psutil
from rich.console import Console

import stack
from benchmarks.candles import minute_candles
from benchmarks.loads import merged
from benchmarks.rows import Row, row
from mela.errors import MelaError
from mela.messages import PROGRESS, Progress, State
from mela.scene import Scene, parse_scene
from mela.settings import Settings, SparkSettings
from messaging.consumer import tail
from messaging.publisher import Publisher
from stack import cluster, environment, http, layout
from stack.ports import LOOPBACK
from stack.supervision import Supervisor
from stack.usage import WORKERS, Usage

CANDLES = 200_000  # of a minute each: 139 days
RUNS = 1_500
CHUNK = 10  # so that the work of a batch can be cut into equal halves
PAIRS = 3
GIVE_UP_S = 240.0
POLL_S = 0.1
SECOND = layout.WORKERS[1]


def measure(console: Console) -> list[Row]:
    """Start a separate cluster, measure pairs of grids on it, and stop it."""
    home = Settings().home
    # all chunks of a grid may be on their way at once: waves of few chunks have uneven ends
    spark = SparkSettings(chunk_runs=CHUNK, chunks_ahead=RUNS, max_chunks_per_trigger=RUNS)
    settings = Settings(home=home.with_name(home.name + "-bench-cluster"), spark=spark)
    console.print("bench cluster: starting three brokers and two workers of their own …")
    settings = stack.up(settings, cluster=True, offline=True, only={"spark"})
    try:
        merged(settings, minute_candles(CANDLES), "binance:BTCUSDT")
        with Publisher(settings.kafka) as publisher:
            return [_two_over_one(settings, publisher, console)]
    finally:
        stack.down(settings)


def _two_over_one(settings: Settings, publisher: Publisher, console: Console) -> Row:
    ratios: list[float] = []
    rates: list[tuple[float, float]] = []
    most_taken = 0.0
    for _ in range(PAIRS):
        measured = [_rate(workers, settings, publisher) for workers in (2, 1)]
        (two, taken), (one, taken_too) = measured
        most_taken = max(most_taken, taken, taken_too)
        rates.append((two, one))
        ratios.append(two / one)
        console.print(
            f"  two workers {two:,.0f} runs/s, one {one:,.0f}: {two / one:.2f}×; other programs "
            f"took {taken:.0%} and {taken_too:.0%} of this machine's cores meanwhile"
        )
    two, one = sorted(rates, key=lambda pair: pair[0] / pair[1])[len(rates) // 2]
    return row(
        "cluster.two_workers_over_one",
        ratios,
        "× the runs/s of one one-core worker",
        "higher",
        minimum=1.7,
        aim=1.9,
        note=f"median pair: {two:,.0f} and {one:,.0f} runs/s of {CANDLES:,} candles each, "
        "published → recorded; brokers, Postgres and the driver share the cores; programs that "
        f"are not of this stack took {most_taken:.0%} of them at most, and should take none",
    )


def _rate(workers: int, settings: Settings, publisher: Publisher) -> tuple[float, float]:
    """Return runs a second with so many warm workers, and what others took of the cores."""
    supervisor = Supervisor(settings.home)
    if workers == len(layout.WORKERS):
        supervisor.start(SECOND)
    else:
        supervisor.stop(SECOND)
    _wait_for_cores(workers * cluster.CORES_HERE, settings)
    _seconds(RUNS, settings, publisher)  # candles read, Python started, indicators computed
    usage = Usage(settings.home.resolve())
    busy, ours, began = _busy_s(), _ours_s(usage), time.monotonic()
    took = _seconds(RUNS, settings, publisher)
    others = (_busy_s() - busy) - (_ours_s(usage) - ours)
    cores = (time.monotonic() - began) * (os.cpu_count() or 1)
    return RUNS / took, max(0.0, others / cores)


def _busy_s() -> float:
    """Return the processor seconds of the whole machine since it started."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait


def _ours_s(usage: Usage) -> float:
    """Return the processor seconds of this stack's processes that live, and of this one."""
    mine = psutil.Process().cpu_times()
    stack_s = sum(used.cpu_s for name, used in usage.look().items() if name != WORKERS)
    return stack_s + mine.user + mine.system


def _wait_for_cores(cores: int, settings: Settings) -> None:
    """Wait until the job has exactly so many cores of the cluster."""
    port = environment.read(settings.home)[cluster.MASTER_UI]
    give_up_at = time.monotonic() + GIVE_UP_S
    while json.loads(http.get(f"http://{LOOPBACK}:{port}/json/"))["coresused"] != cores:
        if time.monotonic() > give_up_at:
            raise MelaError(f"the job did not have {cores} cores after {GIVE_UP_S:.0f} s")
        time.sleep(POLL_S)


def _seconds(runs: int, settings: Settings, publisher: Publisher) -> float:
    """Publish a grid; return the seconds until all of it is recorded, when it has ended."""
    scene = _scene(runs)
    took: float | None = None
    consumer = tail(settings, PROGRESS)
    began = time.monotonic()
    try:
        publisher.scene(scene)
        publisher.flush()
        while time.monotonic() - began < GIVE_UP_S:
            message = consumer.poll(POLL_S)
            if message is None or message.error() is not None:
                continue
            said = Progress.model_validate_json(message.value() or b"")
            if said.scene_id != scene.scene_id:
                continue
            if said.state is State.RECORDED and said.recorded == runs:
                took = took or time.monotonic() - began
            if said.state is State.FINISHED and took:
                return took
    finally:
        consumer.close()
    raise MelaError(f"{runs} runs were not recorded after {GIVE_UP_S:.0f} s")


def _scene(runs: int) -> Scene:
    # a cash never used before makes each question new, so that nothing is answered from the store
    slow = {"from": 101, "to": 100 + runs // 10, "step": 1}
    space = {
        "strategy.params.fast": {"from": 11, "to": 20, "step": 1},
        "strategy.params.slow": slow,
    }
    return parse_scene(
        {
            "scene_id": str(uuid4()),
            "name": f"bench cluster {runs}",
            "instruments": ["binance:BTCUSDT"],
            "interval": "1m",
            "start": "2022-01-02T00:00:00Z",
            "end": "2022-05-19T00:00:00Z",
            "strategy": {"name": "sma_cross", "params": {}},
            "search": {"kind": "grid", "space": space},
            "cash": time.time(),
        }
    )

"""The engine: against its peers, against the memory limit, and as candles and runs grow.

Each ratio comes from two adjacent measurements; a row's value is the median of the ratios. Compared
answers are first checked to be equal.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from backtests.execute import terms_of
from backtests.portfolio_terms import portfolio_terms_of
from backtests.simulate import warm
from benchmarks import limit, stepping, verdict
from benchmarks.against import (
    CROSS,
    Measured,
    against_backtesting,
    against_backtrader,
    against_vectorbt,
)
from benchmarks.candles import first, minute_candles, write
from benchmarks.indicators import TWINS, Twin, differs, frame
from benchmarks.memory import SPACE
from benchmarks.pairs import duration, faster, pairs, slower
from benchmarks.peer import ROOT
from benchmarks.rows import Row, row
from benchmarks.scenes import prepared, runs_of, timed
from mela.candles import Candles
from mela.errors import MelaError
from mela.portfolio import Portfolio

MANY, FEW, INDICATOR_ROWS = 500_000, 20_000, 1_000_000
CANDLES, RUNS = (1_000, 10_000, 100_000, 1_000_000), (10, 100, 1_000, 10_000)
PROTECTED = {"stop_loss": 0.02, "take_profit": 0.03}
STEPS = {"strategy.params.fast": [5, 10, 15, 20], "strategy.params.slow": [30, 40, 50, 60]}
MEMORY_RUNS, MEMORY_S = 10_000, 75.0


def measure(console: Console) -> list[Row]:
    """Measure all rows of the engine, in a folder of their own."""
    warm()
    with tempfile.TemporaryDirectory(prefix="mela-bench-") as folder:
        whole = minute_candles(INDICATOR_ROWS)
        for name, rows in (("many", MANY), ("few", FEW)):
            write(first(whole, rows), Path(folder) / name)
        many, few = Measured.of(Path(folder) / "many"), Measured.of(Path(folder) / "few")
        return [
            *against_backtrader(many, few, console),
            *against_vectorbt(many, few, console),
            *against_backtesting(few, console),
            *_alone(many, whole, console),
        ]


def _alone(many: Measured, whole: Candles, console: Console) -> list[Row]:
    console.print("bench engine: alone …")
    return [
        fused(many.candles),
        grid_step(many.candles),
        memory(many.folder),
        indicators(whole),
        *verdict.measure(console),
        *step(many.candles),
        threads(many.candles),
        growth_in_candles(whole),
        growth_in_runs(whole),
    ]


def fused(candles: Candles) -> Row:
    """Measure one run with stop and target, from prices to metrics and trades."""
    run = runs_of(candles, params=CROSS, exits=PROTECTED)

    def ours(with_curve: bool = False) -> float:
        # prepared anew each time: the candles are checked, but no indicator is there yet
        return timed(candles, run, with_curve=with_curve, spans=prepared(candles, run)).seconds

    measured = pairs(ours, lambda: limit.pass_seconds(candles), repeats=9)
    whole = statistics.median(ours(with_curve=True) for _ in range(5))
    return slower(
        "engine.limit_fused_500k",
        measured,
        "one pass",
        minimum=8,
        aim=5,
        note="on candles checked before: indicators, orders, stop and target, trades, metrics; "
        f"with an equity curve to keep {duration(whole)}",
    )


def grid_step(candles: Candles) -> Row:
    """Measure one run of a grid whose indicators are already computed, metrics only."""
    runs = runs_of(candles, space=STEPS)
    spans = prepared(candles, runs)
    timed(candles, runs, spans=spans)  # the indicators
    measured = pairs(
        lambda: timed(candles, runs, spans=spans).seconds / len(runs),
        lambda: limit.pass_seconds(candles),
        repeats=9,
    )
    return slower(
        "engine.limit_grid_step_500k",
        measured,
        "one pass",
        minimum=4.5,
        aim=3,
        note=f"per run of {len(runs)}, metrics only, no stop",
    )


def step(candles: Candles) -> list[Row]:
    """Measure a step of each stepper, on the terms of a run with stop and target."""
    (one,) = runs_of(candles, params=CROSS, exits=PROTECTED)
    account = replace(one, portfolio=Portfolio())
    return stepping.measure(terms_of(one, candles), portfolio_terms_of(account))


def memory(folder: Path, runs: int = MEMORY_RUNS) -> Row:
    """Measure a grid's memory beyond its candles, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(folder), str(runs), str(MEMORY_S)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MelaError(f"the grid whose memory is measured must run, but said: {done.stderr}")
    memory = json.loads(done.stdout)
    cut = "" if memory["runs"] == memory["wanted"] else f", cut after {MEMORY_S:.0f} s"
    return row(
        "engine.memory_grid_10k_500k",
        [memory["megabytes"]],
        "MB above the candles",
        "lower",
        minimum=200,
        note=f"{memory['runs']:,} of {memory['wanted']:,} runs in {memory['seconds']:.0f} s{cut}; "
        f"the peak above the {memory['held']:.0f} MB of a warm process that has read its candles",
    )


def indicators(candles: Candles) -> Row:
    """Measure twelve indicators against pandas; the row's value is the median of the twelve."""
    of = frame(candles)
    ratios: dict[str, float] = {}
    for twin in TWINS:
        apart = differs(twin.ours(candles), twin.theirs(of))
        if apart > 1e-6:
            raise MelaError(f"{twin.name} must be what pandas finds, but differs by {apart:.1e}")
        ratios[twin.name] = statistics.median(_times_pandas(twin, candles, of))
    each = ", ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items())
    return row(
        "engine.indicators",
        list(ratios.values()),
        "× pandas",
        "higher",
        minimum=5,
        aim=10,
        note=f"{len(candles):,} candles: {each}; the spread is that of the indicators",
    )


def _times_pandas(twin: Twin, candles: Candles, of: object) -> list[float]:
    measured = pairs(
        lambda: _seconds(lambda: twin.ours(candles)),
        lambda: _seconds(lambda: twin.theirs(of)),  # pyright: ignore[reportArgumentType]
        repeats=3,
    )
    return [pair.theirs / pair.ours for pair in measured]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def threads(candles: Candles) -> Row:
    """Measure a grid in two threads against one thread; each of the two has half of the runs."""
    runs = runs_of(candles, space={**STEPS, "exits.stop_loss": [0.02, 0.03]})
    halves = runs[::2], runs[1::2]
    spans = [prepared(candles, half) for half in halves]

    def one() -> float:
        return _seconds(lambda: [work(each) for each in (0, 1)])

    def work(each: int) -> None:
        timed(candles, halves[each], spans=spans[each])

    with ThreadPoolExecutor(2) as pool:

        def both() -> float:
            return _seconds(lambda: list(pool.map(work, (0, 1))))

        both()  # the indicators
        measured = pairs(both, one, repeats=5, tries=2)
    return faster(
        "engine.threads",
        measured,
        "one thread",
        aim=1.7,
        note=f"two threads, {len(runs)} runs on {len(candles):,} candles; "
        f"this machine has {os.cpu_count()} cores",
    )


def growth_in_candles(candles: Candles) -> Row:
    """Measure how the time of one run grows with its candles: the slope between logarithms."""
    series = {rows: first(candles, rows) for rows in CANDLES}
    run = {rows: runs_of(of) for rows, of in series.items()}
    return _growth(
        "engine.growth_candles", CANDLES, lambda rows: timed(series[rows], run[rows]).seconds
    )


def growth_in_runs(candles: Candles) -> Row:
    """Measure how the time of a grid grows with its runs."""
    few = first(candles, 1_000)
    every = runs_of(few, space=SPACE)
    order = np.random.default_rng(4).permutation(len(every))
    mixed = [every[place] for place in order]
    return _growth("engine.growth_runs", RUNS, lambda runs: timed(few, mixed[:runs]).seconds)


def _growth(name: str, sizes: Sequence[int], seconds: Callable[[int], float]) -> Row:
    slopes: list[float] = []
    least = dict.fromkeys(sizes, math.inf)
    for size in sizes:
        seconds(size)  # warm
    for _ in range(3):
        times = {
            size: min(seconds(size) for _ in range(3 if size < sizes[-1] else 1)) for size in sizes
        }
        least = {size: min(least[size], times[size]) for size in sizes}
        slopes.append(slope(list(sizes), list(times.values())))
    each = ", ".join(f"{size:,}: {duration(value)}" for size, value in least.items())
    return row(name, slopes, "slope", "lower", minimum=1.1, note=each)


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the slope of log(seconds) over log(sizes) by least squares; 1 is linear.

    >>> round(slope([1, 10, 100], [2.0, 20.0, 200.0]), 6)
    1.0
    """
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])

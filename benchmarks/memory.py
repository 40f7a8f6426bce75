"""`python -m benchmarks.memory FOLDER RUNS SECONDS`: measure a grid's memory in its own process.

Prints a line of JSON: how far the process's peak rose above its memory with candles loaded and the
engine warm, and how many runs it completed.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path

import psutil

from backtests.simulate import run_all, warm
from benchmarks.candles import first, read
from benchmarks.scenes import runs_of

SPACE = {
    "strategy.params.fast": {"from": 5, "to": 24, "step": 1},
    "strategy.params.slow": {"from": 26, "to": 64, "step": 2},
    "exits.stop_loss": {"from": 0.01, "to": 0.25, "step": 0.01},
}


def main(folder: Path, runs: int, give_up_s: float) -> None:
    """Run the grid, metrics only, and keep only the best run, as a worker does."""
    candles = read(folder)
    warm()
    few = first(candles, 1_000)
    list(run_all(few, runs_of(few)))
    held = psutil.Process().memory_info().rss
    started = time.monotonic()
    wanted = runs_of(candles, space=SPACE)[:runs]
    best, done = float("-inf"), 0
    outcomes = itertools.takewhile(
        lambda _: time.monotonic() - started < give_up_s, run_all(candles, wanted)
    )
    for outcome in outcomes:
        assert outcome.metrics is not None
        best, done = max(best, outcome.metrics.total_return), done + 1
    seconds = time.monotonic() - started
    peak = _peak_bytes()
    found = {"runs": done, "wanted": len(wanted), "seconds": seconds, "best": best}
    print(json.dumps({**found, "megabytes": max(0, peak - held) / 1e6, "held": held / 1e6}))


def _peak_bytes() -> int:
    # of this program alone: what getrusage tells a process includes its parent's peak
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))

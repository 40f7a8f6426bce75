"""How long an author waits from editing a strategy to the verdict on it.

A new process starts, as after an edit, reads three instruments of three years of hours, walks 1,000
parameter sets forward on each, and prints the verdict. Numba's cache is warm, because editing a
strategy changes no kernel.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from rich.console import Console

from benchmarks.rows import Row, row
from mela.interval import DAY_MS, HOUR_MS
from mela.run import from_ms, instant_text
from mela.settings import REPOSITORY

INSTRUMENTS = ("walk:A", "walk:B", "walk:C")
FIRST_MS = 18_993 * DAY_MS  # 2022-01-01
DAYS, TRIALS, REPEATS = 3 * 365, 1_000, 3
STEP, WICK = 0.006, 0.002  # of an hour, as fractions of the price
GIVE_UP_S = 300.0
SCENE: dict[str, Any] = {
    "name": "verdict",
    "instruments": list(INSTRUMENTS),
    "interval": "1h",
    "start": instant_text(from_ms(FIRST_MS + 30 * DAY_MS)),
    "end": instant_text(from_ms(FIRST_MS + DAYS * DAY_MS)),
    "strategy": {"name": "sma_cross"},
    "search": {
        "kind": "grid",
        "space": {
            "strategy.params.fast": {"from": 4, "to": 80, "step": 4},
            "strategy.params.slow": {"from": 100, "to": 590, "step": 10},
        },
    },
    "validation": {"train": "365d", "test": "180d"},
}


def measure(console: Console) -> list[Row]:
    """Measure the verdict: seconds from the start of the process to its last line."""
    console.print("bench engine: verdict …")
    with tempfile.TemporaryDirectory(prefix="mela-bench-") as folder:
        words = _prepared(Path(folder))
        _seconds(words)  # what Numba compiles once for all
        measured = [_seconds(words) for _ in range(REPEATS)]
    runs = [found["statistics"]["n_trials"] for _, found in measured]
    note = (
        f"{runs[0]:,} runs: {TRIALS:,} parameter sets on {len(INSTRUMENTS)} instruments and each "
        "training window; DSR, PBO, SPA, robustness; start of the process included"
    )
    seconds = [taken for taken, _ in measured]
    return [row("engine.verdict", seconds, "s", "lower", minimum=60, aim=15, note=note)]


def _prepared(folder: Path) -> list[str]:
    """Write the scene and its candles; return the command that runs it."""
    scene = folder / "scene.yaml"
    scene.write_text(yaml.safe_dump(SCENE), encoding="utf-8")
    words = [sys.executable, "-m", "cli.main", "backtest", str(scene), "--report"]
    for seed, name in enumerate(INSTRUMENTS):
        file = folder / f"{seed}.parquet"
        pq.write_table(_walk(seed), file)
        words += ["--candles", f"{name}={file}"]
    return words


def _walk(seed: int) -> pa.Table:
    """Return hourly candles of a seeded walk without an edge."""
    random, rows = np.random.default_rng(seed), DAYS * 24
    close = 20_000.0 * np.exp(np.cumsum(STEP * random.standard_normal(rows)))
    before = np.concatenate([[20_000.0], close[:-1]])
    wick = 1.0 + WICK * random.exponential(size=(2, rows))
    opened = FIRST_MS + HOUR_MS * np.arange(rows, dtype=np.int64)
    return pa.table(
        {
            "open_time": pa.array(opened, pa.timestamp("ms", tz="UTC")),
            "open": before,
            "high": np.maximum(before, close) * wick[0],
            "low": np.minimum(before, close) / wick[1],
            "close": close,
            "volume": random.exponential(10.0, rows),
        }
    )


def _seconds(words: list[str]) -> tuple[float, dict[str, Any]]:
    """Run the command once; return how long it took and the report that it printed."""
    began = time.perf_counter()
    done = subprocess.run(
        words, cwd=REPOSITORY, capture_output=True, text=True, timeout=GIVE_UP_S, check=True
    )
    taken = time.perf_counter() - began
    report = json.loads(done.stdout)
    for part in ("statistics", "robustness", "walk_forward"):
        if "reason" in report.get(part, {"reason": "it is missing"}):
            raise RuntimeError(f"the verdict has no {part}: {report.get(part)}")
    return taken, report

"""Live trading: `make bench ONLY=live`."""

from __future__ import annotations

from rich.console import Console

from benchmarks import live_day, live_engine, live_stored
from benchmarks.rows import Row
from benchmarks.scratch_postgres import scratch_postgres


def measure(console: Console) -> list[Row]:
    """Measure the engine alone, with its store, over a day of 50 instruments, and a restart."""
    console.print("live: the engine, alone")
    rows = live_engine.measure()
    with scratch_postgres() as settings:
        console.print("live: with commits to Postgres")
        rows += live_stored.measure(settings)
        console.print("live: a day at 1000 times its speed, and a restart")
        rows += live_day.measure(settings)
    return rows

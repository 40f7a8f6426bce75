"""The engine of live trading in one process, without a store: from a closed candle to its order."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.live_candles import closed, names, session_document, started, walk
from benchmarks.rows import Row, row
from live.engine import Engine
from live.events import Intended

REPEATS, CANDLES, SKIPPED = 5, 6_000, 200
MOST_MS = 1.0
LIMITS = {"max_position_share": 1.0, "max_daily_loss": 0.5, "max_orders_per_minute": 60}


def measure() -> list[Row]:
    """Measure how long the engine takes for the candles that it orders on."""
    plain = [_times(seed, {}) for seed in range(REPEATS)]
    limited = [_times(seed, {"risk": LIMITS}) for seed in range(REPEATS)]
    orders = sum(len(ordering) for ordering, _ in plain)
    every = np.concatenate([times for _, times in plain])
    return [
        row(
            "live.order_in_process",
            [_p99(ordering) for ordering, _ in plain],
            "ms",
            "lower",
            minimum=MOST_MS,
            note=f"p99 of a closed candle to its order, sma_cross with {CANDLES:,} candles known "
            f"at the end, {orders} orders; of all candles {_p99(every):.2f} ms; with limits of "
            f"risk {np.median([_p99(ordering) for ordering, _ in limited]):.2f} ms",
        )
    ]


def _times(seed: int, more: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the milliseconds of the candles that led to an order, and those of all."""
    name = names(1)[0]
    columns = walk(seed, CANDLES)
    engine = Engine()
    engine.apply(started(session_document([name], **more), {name: columns}))
    ordering: list[float] = []
    every: list[float] = []
    for number, candle in enumerate(closed(name, columns)):
        begun = perf_counter()
        told = engine.apply(candle)
        took_ms = (perf_counter() - begun) * 1e3
        if number < SKIPPED:  # what is compiled and loaded first is no candle's
            continue
        every.append(took_ms)
        if any(isinstance(one, Intended) for one in told):
            ordering.append(took_ms)
    if len(ordering) < 20:
        raise ValueError(f"expected orders to measure, but found {len(ordering)} on {CANDLES}")
    return np.array(ordering), np.array(every)


def _p99(times: np.ndarray) -> float:
    return float(np.percentile(times, 99))

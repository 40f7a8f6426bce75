"""Live trading with its store: from a closed candle to an order that is committed; one core."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterable
from itertools import islice

import numpy as np
from sqlalchemy import text

from benchmarks.live_candles import (
    BEGINS_MS,
    WARM,
    closed,
    names,
    session_document,
    started,
    walk,
)
from benchmarks.live_market import Market, settled, stored_session, trading
from benchmarks.rows import Row, row
from live.engine import Engine
from live.events import Intended
from mela.interval import MINUTE_MS
from mela.settings import Settings
from warehouse.database import transaction

CANDLES, SKIPPED = 4_000, 200
SESSIONS, INSTRUMENTS = 40, 50
WARM_MINUTES, MINUTES = 3, 6
MOST_MS, LEAST = 10.0, 2_000
FIRST_MS = BEGINS_MS + WARM * MINUTE_MS
_END = text("""
    UPDATE ops.session SET state = 'stopped', stopped_at = now()
    WHERE state NOT IN ('stopped', 'failed')
""")


def measure(settings: Settings) -> list[Row]:
    """Measure both on a migrated Postgres without other sessions."""
    return [_order(settings), _core(settings)]


def _order(settings: Settings) -> Row:
    """Measure from a candle's coming to the commit of what was decided on it."""
    name = names(1)[0]
    columns = walk(7, CANDLES)
    document = session_document([name])
    event = started(document, {name: columns})
    engine = Engine()
    engine.apply(event)
    candles = list(closed(name, columns))
    is_ordering = [
        any(isinstance(one, Intended) for one in engine.apply(candle)) for candle in candles
    ]
    stored_session(settings, document, event)
    times = np.array(asyncio.run(_committed(settings, candles)))[SKIPPED:]
    chosen = times[np.array(is_ordering)[SKIPPED:]]
    if len(chosen) < 20:
        raise ValueError(f"expected orders to measure, but found {len(chosen)} on {CANDLES}")
    thirds = np.array_split(chosen, 3)
    return row(
        "live.order_committed",
        [float(np.percentile(part, 99)) for part in thirds],
        "ms",
        "lower",
        minimum=MOST_MS,
        note=f"p99 of a closed candle to its order, the intention committed to Postgres before it "
        f"leaves, of {len(chosen)} orders in three parts; median {np.median(chosen):.2f} ms",
    )


async def _committed(settings: Settings, candles: Iterable[object]) -> list[float]:
    """Return the milliseconds from each candle to its commit, one candle at a time."""
    is_stored = asyncio.Event()
    loop = asyncio.get_running_loop()
    market = Market(FIRST_MS)

    def reached(point: str) -> None:
        if point == "stored":
            loop.call_soon_threadsafe(is_stored.set)

    times: list[float] = []
    async with trading(settings, market, reached) as process:
        await settled(process, 1)
        for candle in candles:
            is_stored.clear()
            begun = time.perf_counter()
            market.say(candle)  # type: ignore[arg-type]
            await is_stored.wait()
            times.append((time.perf_counter() - begun) * 1e3)
        _end(settings)
    return times


def _core(settings: Settings) -> Row:
    """Measure how many series of minutes one core carries in real time."""
    series = names(INSTRUMENTS)
    walks = {name: walk(n, WARM + WARM_MINUTES + MINUTES) for n, name in enumerate(series)}
    for _ in range(SESSIONS):
        document = session_document(series)
        stored_session(settings, document, started(document, walks))
    used = asyncio.run(_minutes(settings, walks))
    carried = [SESSIONS * INSTRUMENTS * 60 / seconds for seconds, _ in used]
    walls = [wall for _, wall in used]
    return row(
        "live.series_on_one_core",
        carried,
        "series",
        "higher",
        minimum=LEAST,
        note=f"{SESSIONS} sessions of {INSTRUMENTS} instruments of 1m in one process, all "
        f"committed: {np.median([one for one, _ in used]):.1f} s of its processor time for a "
        f"minute, {np.median(walls):.1f} s on the clock beside Postgres",
    )


async def _minutes(
    settings: Settings, walks: dict[str, dict[str, np.ndarray]]
) -> list[tuple[float, float]]:
    """Return of each minute the process's seconds, of its processor and on the clock."""
    market = Market(FIRST_MS)
    minutes = list(zip(*(closed(name, columns) for name, columns in walks.items()), strict=True))
    used: list[tuple[float, float]] = []
    async with trading(settings, market) as process:
        await settled(process, SESSIONS)
        gc.collect()
        for number, candles in enumerate(islice(minutes, WARM_MINUTES + MINUTES)):
            cpu, wall = time.process_time(), time.perf_counter()
            for candle in candles:
                market.say(candle)
            await asyncio.sleep(0.005)
            await settled(process, SESSIONS)
            if number >= WARM_MINUTES:
                used.append((time.process_time() - cpu, time.perf_counter() - wall))
        _end(settings)
    return used


def _end(settings: Settings) -> None:
    """End all sessions, so that the next part has the process for itself."""
    with transaction(settings) as connection:
        connection.execute(_END)

"""The quality check of five million generated candles, in a temporary Postgres."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
from rich.console import Console
from sqlalchemy import text

from benchmarks.candles import minute_candles
from benchmarks.rows import Row, row
from benchmarks.scratch_postgres import scratch_postgres
from mela.interval import Interval
from mela.settings import Settings
from sources.instruments import describe
from warehouse.binary import encode
from warehouse.database import copy_in, transaction
from warehouse.ingestion import instruments
from warehouse.quality import QualityReport, check_quality
from warehouse.schema.partitions import ensure_years

CANDLES = 5_000_000
HOLES, HOLE = 50, 7  # gaps, and how many candles each lacks
SPIKES = 20
MAX_S = 30.0
RUNS = 3
NAME, INTERVAL = "binance:QUALITYUSDT", Interval.M1
TYPES = {
    "instrument_id": "integer",
    "interval": "text",
    **dict.fromkeys(("opened_at", "closed_at"), "timestamptz"),
    **dict.fromkeys(("open", "high", "low", "close", "volume"), "float8"),
}
STAGE = ", ".join(f"{name} {kind}" for name, kind in list(TYPES.items())[2:])
_BATCH = text("""
    INSERT INTO ops.load_batch (instrument_id, interval, source, origin, request, span_start,
                                span_end, code_version, status, finished_at)
    VALUES (:id, '1m', 'generated', 'replay', '{}', '2000-01-01', now(), 'benchmark',
            'succeeded', now()) RETURNING id
""")
_REVISION = text("""
    INSERT INTO ops.candle_revision (instrument_id, interval, revision, load_batch_id,
                                     first_opened_at, last_opened_at, reason)
    SELECT :id, '1m', 1, :batch, min(opened_at), max(opened_at), 'candles' FROM generated_candle
""")
_STORE = text("""
    INSERT INTO raw.candle (instrument_id, interval, opened_at, closed_at, open, high, low, close,
                            volume, revision, load_batch_id)
    SELECT :id, '1m', opened_at, closed_at, open, high, low, close, volume, 1, :batch
    FROM generated_candle
""")


def measure(console: Console) -> list[Row]:
    """Return the row of the check, on a temporary Postgres."""
    with scratch_postgres() as settings:
        return rows_of(settings, console)


def rows_of(settings: Settings, console: Console) -> list[Row]:
    """Return the row of the check, on a warehouse without these candles.

    Defects are planted, and the check must find all of them before its time counts.
    """
    console.print(f"quality: {CANDLES:,} candles of {NAME}, {HOLES} gaps, {SPIKES} spikes")
    store(settings, CANDLES)
    seconds: list[float] = []
    for _ in range(RUNS):
        started = time.perf_counter()
        report = check_quality(settings, [(NAME, INTERVAL)])
        seconds.append(time.perf_counter() - started)
        hold(report)
    note = (
        f"{CANDLES:,} candles of 1m read from Postgres, {HOLES} planted gaps and {SPIKES} spikes "
        "found, findings stored; median of the first check and two re-checks"
    )
    return [row("warehouse.quality_check_s", seconds, "s", "lower", minimum=MAX_S, note=note)]


def store(settings: Settings, count: int) -> None:
    """Store generated minutes with holes and spikes, without the merge, which is not measured."""
    candles = minute_candles(count)
    keep = np.ones(count, dtype=np.bool_)
    for start in np.linspace(1_000, count - 1_000, HOLES, dtype=np.int64):
        keep[start : start + HOLE] = False
    close = candles.close.copy()
    close[np.linspace(5_000, count - 5_000, SPIKES, dtype=np.int64)] *= 1.1
    high = np.maximum(candles.high, close)
    opened = candles.opened_ms - int(candles.opened_ms[-1]) + _last_ms()
    columns = {
        "opened_at": opened,
        "closed_at": INTERVAL.ends_ms(opened),
        "open": candles.open,
        "high": high,
        "low": candles.low,
        "close": close,
        "volume": candles.volume,
    }
    kept = {name: column[keep] for name, column in columns.items()}
    ensure_years(settings, INTERVAL, opened)
    types = {name: kind for name, kind in TYPES.items() if name in kept}
    with transaction(settings) as connection:
        number = instruments.upsert(connection, describe(NAME))
        batch = connection.execute(_BATCH, {"id": number}).scalar_one()
        connection.execute(text(f"CREATE TEMP TABLE generated_candle ({STAGE}) ON COMMIT DROP"))
        target = f"COPY generated_candle ({', '.join(types)}) FROM STDIN (FORMAT binary)"
        copy_in(connection, target, encode(kept, types))
        connection.execute(_STORE, {"id": number, "batch": batch})
        connection.execute(_REVISION, {"id": number, "batch": batch})
    with transaction(settings) as connection:
        connection.execute(text("ANALYZE raw.candle"))


def hold(report: QualityReport) -> None:
    """Stop if the check did not find what was planted."""
    gaps = [one for one in report.findings if one.kind == "missing"]
    spikes = [one for one in report.findings if one.kind == "outlier"]
    found = len(gaps), {one.candles for one in gaps}, len(spikes)
    if found != (HOLES, {HOLE}, SPIKES):
        raise AssertionError(f"expected {HOLES} gaps of {HOLE} and {SPIKES} spikes, found {found}")


def _last_ms() -> int:
    now = int(datetime.now(UTC).timestamp() * 1000)
    return now // 60_000 * 60_000 - 120_000

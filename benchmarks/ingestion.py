"""Load a year of minutes from the replay, through the client library and Binance's files."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from rich.console import Console

from benchmarks.rows import Row, row
from benchmarks.scratch_postgres import scratch_postgres
from mela.settings import Settings
from warehouse.ingestion.ingest import ingest

START, END = datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
MONTH_END = datetime(2023, 1, 16, tzinfo=UTC)
SYMBOLS = ("BTCUSDT", "ETHUSDT")
OUTAGE = 60  # Binance stood still for an hour in March
EXPECTED = 365 * 24 * 60 - OUTAGE


def measure(console: Console) -> list[Row]:
    """Return the rows of loads, on a temporary Postgres and replay."""
    with scratch_postgres(offline=True) as settings:
        return rows_of(settings, console)


def rows_of(settings: Settings, console: Console) -> list[Row]:
    """Return the rows of loads: a year from Binance's files, and half a month from API pages.

    settings: of a stack that uses a replay
    """
    files = [_load(settings, f"binance:{symbol}", START, END, console) for symbol in SYMBOLS]
    again = _load(settings, f"binance:{SYMBOLS[0]}", START, END, console, is_new=False)
    pages = [
        _load(settings, f"binance:{symbol}", START, MONTH_END, console, is_new=False)
        for symbol in SYMBOLS
    ]
    unit = "candles/s, replay → raw"
    a_year = f"{EXPECTED:,} candles of 1m; the replay, on the same cores, makes them up meanwhile"
    return [
        row("warehouse.ingest_year", files, unit, "higher", note=f"{a_year}; archive files"),
        row("warehouse.ingest_year_again", [again], unit, "higher", note="the same, all unchanged"),
        row("warehouse.ingest_pages", pages, unit, "higher", note="half a month, 22 pages of REST"),
    ]


def _load(
    settings: Settings,
    name: str,
    start: datetime,
    end: datetime,
    console: Console,
    *,
    is_new: bool = True,
) -> float:
    started = time.perf_counter()
    report = ingest(name, "1m", start, end, settings)
    seconds = time.perf_counter() - started
    candles = report.inserted if is_new else report.unchanged
    expected = EXPECTED if end == END else (end - start).total_seconds() // 60
    if candles != expected:
        raise AssertionError(f"expected {expected:,.0f} candles of {name}, but found {report}")
    console.print(f"  {name}: {candles / seconds:,.0f} candles/s")
    return candles / seconds

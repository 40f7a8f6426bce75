"""The ways to load and read a million candles that `benchmarks.warehouse` compares."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import numpy as np
from numpy.typing import NDArray
from psycopg2.extras import execute_values
from sqlalchemy import Connection, text

from mela.candles import Candles
from mela.errors import MelaError
from mela.run import from_ms
from mela.settings import Settings
from sources.instruments import describe
from sources.protocol import FetchedCandles
from warehouse.candles.reader import CandleReader
from warehouse.database import transaction
from warehouse.ingestion import instruments
from warehouse.ingestion.merge import Merged, merge
from warehouse.schema.partitions import ensure_years

PAGE_ROWS = 1_000  # of execute_values: its default of 100, and 10,000, are slower here
EVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
BATCH = text("""
    INSERT INTO ops.load_batch (interval, source, request, span_start, span_end, code_version)
    VALUES (:interval, 'bench', '{}', '2000-01-01', '2100-01-01', 'bench') RETURNING id
""")
EMPTY = text("TRUNCATE ops.instrument, raw.candle, raw.candle_version RESTART IDENTITY CASCADE")
UPSERT = """
    INSERT INTO raw.candle AS old
        (instrument_id, interval, opened_at, closed_at, session_on,
         open, high, low, close, volume, revision, load_batch_id)
    VALUES %s
    ON CONFLICT (instrument_id, interval, opened_at) DO UPDATE SET
        closed_at = excluded.closed_at, session_on = excluded.session_on,
        open = excluded.open, high = excluded.high, low = excluded.low,
        close = excluded.close, volume = excluded.volume,
        revision = excluded.revision, load_batch_id = excluded.load_batch_id
    WHERE (old.closed_at, old.session_on, old.open, old.high, old.low, old.close, old.volume)
        IS DISTINCT FROM (excluded.closed_at, excluded.session_on, excluded.open,
            excluded.high, excluded.low, excluded.close, excluded.volume)
"""
SELECT = """
    SELECT {opened}, open, high, low, close, volume FROM raw.candle
    WHERE instrument_id = (SELECT id FROM ops.instrument WHERE symbol = '{symbol}')
      AND interval = '1m' ORDER BY opened_at
"""


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """Seconds, and the sum of the closes read or stored, to check that the sides agree."""

    seconds: float
    closes: float


def fetched(candles: Candles, name: str) -> FetchedCandles:
    """Return candles as a source's answer."""
    columns = {one: getattr(candles, one) for one in ("open", "high", "low", "close", "volume")}
    return FetchedCandles(
        instrument=describe(name),
        interval=candles.interval,
        opened_ms=candles.opened_ms,
        closed_ms=candles.interval.ends_ms(candles.opened_ms),
        **columns,
        session_on=None,
        actions=(),
        rejected=(),
        request={},
        origin="replay",
        source="bench",
    )


def empty(settings: Settings) -> None:
    """Delete all candles."""
    with transaction(settings) as connection:
        connection.execute(EMPTY)


def merged(settings: Settings, candles: Candles, name: str) -> tuple[float, Merged]:
    """Load candles as `mela ingest` does; return the seconds and the counts."""
    answer = fetched(candles, name)
    began = time.perf_counter()
    ensure_years(settings, answer.interval, answer.opened_ms)
    with transaction(settings) as connection:
        batch = connection.execute(BATCH, {"interval": answer.interval.value}).scalar_one()
        instrument_id = instruments.upsert(connection, answer.instrument)
        found = merge(connection, instrument_id, batch, answer, EVER[0])
    return time.perf_counter() - began, found


def inserted(settings: Settings, candles: Candles, name: str, revision: int) -> float:
    """Upsert candles into the same table with execute_values; return the seconds of that alone.

    Tuples and partitions are made before, and no revision is written.
    """
    answer = fetched(candles, name)
    ensure_years(settings, answer.interval, answer.opened_ms)
    with transaction(settings) as connection:
        batch = connection.execute(BATCH, {"interval": answer.interval.value}).scalar_one()
        instrument_id = instruments.upsert(connection, answer.instrument)
        rows = _tuples(answer, instrument_id, batch, revision)
        began = time.perf_counter()
        with closing(_cursor(connection)) as cursor:
            execute_values(cursor, UPSERT, rows, page_size=PAGE_ROWS)
        connection.commit()
        return time.perf_counter() - began


def stored(settings: Settings, name: str) -> tuple[int, float]:
    """Return an instrument's number of candles and the sum of their closes."""
    query = text("""
        SELECT count(*), coalesce(sum(close), 0) FROM raw.candle c
        JOIN ops.instrument i ON i.id = c.instrument_id WHERE i.symbol = :symbol
    """)
    with transaction(settings) as connection:
        count, closes = connection.execute(query, {"symbol": name.partition(":")[2]}).one()
    return count, closes


def by_mela(settings: Settings, name: str) -> Callable[[], Timed]:
    """Read through a fresh reader of the engine."""

    def read() -> Timed:
        began = time.perf_counter()
        candles = CandleReader(settings).read(name, "1m", *EVER, 0, "split_adjusted").candles
        seconds = time.perf_counter() - began
        return Timed(seconds, float(candles.close.sum()))

    return read


def by_fetchall(settings: Settings, name: str) -> Callable[[], Timed]:
    """Read with psycopg2's fetchall into arrays; integer times are faster than dates."""
    epoch = "(extract(epoch FROM opened_at) * 1000)::bigint"
    query = SELECT.format(opened=epoch, symbol=name.partition(":")[2])

    def read() -> Timed:
        with transaction(settings) as connection, closing(_cursor(connection)) as cursor:
            began = time.perf_counter()
            cursor.execute(query)
            columns: list[NDArray[Any]] = [
                np.array(column) for column in zip(*cursor.fetchall(), strict=True)
            ]
            seconds = time.perf_counter() - began
        return Timed(seconds, float(columns[4].sum()))

    return read


def by_adbc(settings: Settings, name: str) -> Callable[[], Timed]:
    """Read with ADBC into Arrow columns."""
    query = SELECT.format(opened="opened_at", symbol=name.partition(":")[2])
    address = settings.postgres.url().replace("+psycopg2", "")

    def read() -> Timed:
        with adbc.connect(address) as connection, connection.cursor() as cursor:
            began = time.perf_counter()
            cursor.execute(query)
            table = cursor.fetch_arrow_table()
            seconds = time.perf_counter() - began
        return Timed(seconds, float(table["close"].to_numpy().sum()))

    return read


def held_together(*sides: Callable[[], Timed]) -> list[Callable[[], float]]:
    """Return each side's seconds, after checking once that all sides give the same closes.

    Raises MelaError if they differ. The check also warms the sides up.
    """
    sums = [side().closes for side in sides]
    if any(abs(one - sums[0]) > 1e-9 * abs(sums[0]) for one in sums):
        raise MelaError(f"expected the same candles from all sides, but their closes sum to {sums}")
    return [_seconds(side) for side in sides]


def _cursor(connection: Connection) -> Any:
    return connection.connection.cursor()


def _seconds(side: Callable[[], Timed]) -> Callable[[], float]:
    return lambda: side().seconds


def _tuples(
    answer: FetchedCandles, instrument_id: int, batch: int, revision: int
) -> list[tuple[Any, ...]]:
    times = [[from_ms(int(ms)) for ms in column] for column in (answer.opened_ms, answer.closed_ms)]
    prices = [getattr(answer, one).tolist() for one in ("open", "high", "low", "close", "volume")]
    interval = answer.interval.value
    return [
        (instrument_id, interval, opened, closed, None, *values, revision, batch)
        for opened, closed, *values in zip(*times, *prices, strict=True)
    ]

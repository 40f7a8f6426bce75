"""Build the star from five million generated candles: first build, a day later, and unchanged."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from sqlalchemy import text

from benchmarks.quality import CANDLES, INTERVAL, store
from benchmarks.rows import Row, row
from benchmarks.scratch_postgres import scratch_postgres
from mela.errors import MelaError
from mela.run import to_ms
from mela.settings import REPOSITORY, Settings
from warehouse.database import transaction
from warehouse.schema.partitions import ensure_years

DAY = 1_440  # minutes
REPEATS = 3
GIVE_UP_S = 1_800
ONLY_TABLES = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
# A day of minutes after the last, and one candle restated in the middle: the common load.
_NEWS = text("""
    WITH batch AS (
        INSERT INTO ops.load_batch (instrument_id, interval, source, origin, request, span_start,
                                    span_end, code_version, status, finished_at)
        SELECT instrument_id, interval, source, origin, '{}', span_start, span_end, 'benchmark',
               'succeeded', now()
        FROM ops.load_batch ORDER BY id DESC LIMIT 1 RETURNING id, instrument_id, interval
    ), series AS (
        SELECT batch.id, batch.instrument_id, batch.interval, max(revision) + 1 AS revision,
               max(last_opened_at) AS last, min(first_opened_at) AS first
        FROM batch JOIN ops.candle_revision USING (instrument_id, interval) GROUP BY 1, 2, 3
    ), appended AS (
        INSERT INTO raw.candle (instrument_id, interval, opened_at, closed_at, open, high, low,
                                close, volume, revision, load_batch_id)
        SELECT instrument_id, interval, last + n * interval '1 minute',
               last + (n + 1) * interval '1 minute', 100, 102, 99, 100 + sin(n), 10, revision, id
        FROM series, generate_series(1, :minutes) AS n
    ), restated AS (
        UPDATE raw.candle SET volume = volume + 1, close = (low + high) / 2,
               revision = series.revision + 1, load_batch_id = series.id
        FROM series
        WHERE candle.instrument_id = series.instrument_id AND candle.interval = series.interval
          AND candle.opened_at = (
              SELECT min(opened_at) FROM raw.candle AS middle
              WHERE middle.instrument_id = series.instrument_id
                AND middle.interval = series.interval
                AND middle.opened_at >= series.first + (series.last - series.first) / 2)
        RETURNING candle.opened_at
    )
    INSERT INTO ops.candle_revision (instrument_id, interval, revision, load_batch_id,
                                     first_opened_at, last_opened_at, reason)
    SELECT instrument_id, interval, revision, id, last + interval '1 minute',
           last + :minutes * interval '1 minute', 'candles' FROM series
    UNION ALL
    SELECT instrument_id, interval, revision + 1, id, opened_at, opened_at, 'candles'
    FROM series, restated
""")
_ROWS = text("SELECT count(*), max(series_revision) FROM marts.fct_indicator")
_LAST = text("SELECT max(last_opened_at) FROM ops.candle_revision")


def measure(console: Console) -> list[Row]:
    """Return the rows of the builds, on a temporary Postgres."""
    with scratch_postgres() as settings:
        store(settings, CANDLES)
        return rows_of(settings, console)


def rows_of(settings: Settings, console: Console) -> list[Row]:
    """Return the rows of the builds, on a warehouse of generated candles without a star."""
    console.print(f"star: dbt build of {CANDLES:,} candles, tests left out")
    empty = [_build(settings)]
    day: list[float] = []
    still: list[float] = []
    for _ in range(REPEATS):
        before = _written(settings)
        with transaction(settings) as connection:
            last = connection.execute(_LAST).scalar_one()
        ensure_years(settings, INTERVAL, to_ms(last) + np.array([0, DAY], dtype=np.int64) * 60_000)
        with transaction(settings) as connection:
            connection.execute(_NEWS, {"minutes": DAY})
        day.append(_build(settings))
        after = _written(settings)
        if after != (before[0] + DAY, before[1] + 2):
            raise AssertionError(f"expected {DAY} rows more than {before}, but found {after}")
        still.append(_build(settings))
    unit = "s, dbt's own start included"
    return [
        row("warehouse.dbt_build_s", empty, unit, "lower", aim=180.0, note=_sizes(settings)),
        row(
            "warehouse.dbt_day_s",
            day,
            unit,
            "lower",
            aim=20.0,
            note=f"{DAY:,} new minutes and one restated in the middle, {CANDLES:,} there before",
        ),
        row("warehouse.dbt_still_s", still, unit, "lower", aim=15.0, note="no news at all"),
    ]


def _build(settings: Settings) -> float:
    where, scratch = settings.postgres, settings.home / "dbt"
    started = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("dbt")), "build", *ONLY_TABLES],
        env={
            **os.environ,
            "MELA_POSTGRES__HOST": where.host,
            "MELA_POSTGRES__PORT": str(where.port),
            "MELA_POSTGRES__DATABASE": where.database,
            "MELA_POSTGRES__USER": where.user,
            "MELA_POSTGRES__PASSWORD": where.password.get_secret_value(),
            "DBT_PROJECT_DIR": str(REPOSITORY / "dbt"),
            "DBT_PROFILES_DIR": str(REPOSITORY / "dbt"),
            "DBT_TARGET_PATH": str(scratch / "target"),
            "DBT_LOG_PATH": str(scratch / "logs"),
        },
        capture_output=True,
        text=True,
        timeout=GIVE_UP_S,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise MelaError(f"dbt build failed:\n{done.stdout[-2_000:]}")
    return seconds


def _written(settings: Settings) -> tuple[int, int]:
    with transaction(settings) as connection:
        count, revision = connection.execute(_ROWS).one()
    return count, revision


def _sizes(settings: Settings) -> str:
    sizes: list[str] = []
    with transaction(settings) as connection:
        for name in ("fct_candle", "fct_indicator"):
            query = text("SELECT pg_total_relation_size(CAST(:name AS regclass)) / 1048576")
            size = connection.execute(query, {"name": f"marts.{name}"}).scalar_one()
            sizes.append(f"{name} {size:,} MB with its indexes")
    return "; ".join(sizes)

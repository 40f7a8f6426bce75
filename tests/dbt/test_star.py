"""Build the dbt project in a scratch database and look at the rows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from mela.interval import Interval
from mela.settings import Settings
from warehouse.database import engine_for, transaction
from warehouse.migrate import upgrade

PROJECT = Path(__file__).resolve().parents[2] / "dbt"
SCRATCH = f"mela_star_{os.getpid()}"
FIRST_LOADS = """
INSERT INTO ops.instrument (id, venue, symbol, kind, quote, calendar) VALUES
    (1, 'yahoo', 'ACME', 'equity', 'USD', 'XNYS'),
    (2, 'binance', 'BTCUSDT', 'spot', 'USDT', '24/7');
INSERT INTO ops.load_batch
    (id, instrument_id, interval, source, origin, request, span_start, span_end, code_version)
SELECT batch, instrument, interval, source, 'replay', '{}', '2024-01-02', '2024-01-05', '0.1.0'
FROM (VALUES (1, 1, '1d', 'yahoo'), (2, 2, '1h', 'binance'), (3, 1, '1d', 'yahoo'))
    AS batches (batch, instrument, interval, source);
INSERT INTO raw.candle VALUES
    (1, '1d', '2024-01-02', '2024-01-02 21:00', '2024-01-02', 100, 110, 90, 105, 1000, 1, 1),
    (1, '1d', '2024-01-03', '2024-01-03 21:00', '2024-01-03', 105, 120, 100, 118, 2000, 1, 1),
    (2, '1h', '2024-01-02 23:00', '2024-01-03', NULL, 4.5, 4.75, 4.25, 4.625, 10, 1, 2);
INSERT INTO ops.candle_revision VALUES
    (1, '1d', 1, 1, '2024-01-02', '2024-01-03', 'candles'),
    (2, '1h', 1, 2, '2024-01-02 23:00', '2024-01-02 23:00', 'candles');
"""
RESTATEMENT_AND_SPLIT = """
UPDATE raw.candle SET close = 116, revision = 2, load_batch_id = 3
WHERE instrument_id = 1 AND opened_at = '2024-01-03';
INSERT INTO raw.candle VALUES
    (1, '1d', '2024-01-04', '2024-01-04 21:00', '2024-01-04', 59, 61, 58, 60, 4100, 2, 3);
INSERT INTO raw.corporate_action VALUES (1, 'split', '2024-01-04', 2, 3);
INSERT INTO ops.candle_revision VALUES
    (1, '1d', 2, 3, '2024-01-03', '2024-01-04', 'candles');
"""
FACTS = """
SELECT instrument, interval_key, date_key, to_char(opened_at, 'HH24'), close, split_adjusted_close,
    split_adjusted_volume, revision, series_revision, load_batch_id, fct_candle.xmin::text
FROM marts.fct_candle JOIN marts.dim_instrument USING (instrument_key) ORDER BY 1, opened_at
"""
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Builds:
    """The facts after the first build and, some candles later, after the second."""

    first: Rows
    second: Rows
    intervals: Rows
    dates: Rows


def dbt(settings: Settings, scratch: Path, *arguments: str) -> None:
    where = settings.postgres
    done = subprocess.run(
        [Path(sys.executable).with_name("dbt"), *arguments],
        env=os.environ
        | {
            "MELA_POSTGRES__HOST": where.host,
            "MELA_POSTGRES__PORT": str(where.port),
            "MELA_POSTGRES__DATABASE": where.database,
            "MELA_POSTGRES__USER": where.user,
            "MELA_POSTGRES__PASSWORD": where.password.get_secret_value(),
            "DBT_PROJECT_DIR": str(PROJECT),
            "DBT_PROFILES_DIR": str(PROJECT),
            "DBT_TARGET_PATH": str(scratch / "target"),
            "DBT_LOG_PATH": str(scratch / "logs"),
        },
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout[-6_000:]


@pytest.fixture(scope="module")
def warehouse(postgres: Settings) -> Iterator[Settings]:
    """Give a migrated warehouse of its own, so that rows can be counted by hand."""
    with closing(psycopg2.connect(postgres.postgres.url().replace("+psycopg2", ""))) as connection:
        connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {SCRATCH}")
            own = postgres.postgres.model_copy(update={"database": SCRATCH})
            settings = postgres.model_copy(update={"postgres": own})
            upgrade(settings)
            yield settings
            engine_for(settings).dispose()
            cursor.execute(f"DROP DATABASE {SCRATCH} WITH (FORCE)")


@pytest.fixture(scope="module")
def builds(warehouse: Settings, tmp_path_factory: pytest.TempPathFactory) -> Builds:
    scratch = tmp_path_factory.mktemp("dbt")

    def change(statements: str) -> None:
        with transaction(warehouse) as connection:
            connection.exec_driver_sql(statements)

    def rows(query: str) -> Rows:
        with transaction(warehouse) as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    change(FIRST_LOADS)
    dbt(warehouse, scratch, "build")
    first = rows(FACTS)
    change(RESTATEMENT_AND_SPLIT)
    dbt(warehouse, scratch, "build", "--select", "fct_candle")
    return Builds(
        first,
        rows(FACTS),
        rows("SELECT interval_key, seconds FROM marts.dim_interval ORDER BY position"),
        rows("SELECT * FROM marts.dim_date WHERE date_key = 20241230"),
    )


def facts(rows: Rows) -> Rows:
    return [row[:-1] for row in rows]


@pytest.mark.integration
def test_the_star_holds_each_candle_once(builds: Builds) -> None:
    assert facts(builds.first) == [
        ("binance:BTCUSDT", "1h", 20240102, "23", 4.625, 4.625, 10.0, 1, 1, 2),
        ("yahoo:ACME", "1d", 20240102, "00", 105.0, 105.0, 1000.0, 1, 1, 1),
        ("yahoo:ACME", "1d", 20240103, "00", 118.0, 118.0, 2000.0, 1, 1, 1),
    ]


@pytest.mark.integration
def test_a_series_without_new_candles_is_not_written_again(builds: Builds) -> None:
    """The last column is the transaction that wrote the row."""
    assert builds.second[0] == builds.first[0]


@pytest.mark.integration
def test_restated_late_and_split_candles_reach_the_star(builds: Builds) -> None:
    """The first candle lies outside what the load touched, but before the split that it brought."""
    assert facts(builds.second) == [
        ("binance:BTCUSDT", "1h", 20240102, "23", 4.625, 4.625, 10.0, 1, 1, 2),
        ("yahoo:ACME", "1d", 20240102, "00", 105.0, 52.5, 2000.0, 1, 2, 1),
        ("yahoo:ACME", "1d", 20240103, "00", 116.0, 58.0, 4000.0, 2, 2, 3),
        ("yahoo:ACME", "1d", 20240104, "00", 60.0, 60.0, 4100.0, 2, 2, 3),
    ]


@pytest.mark.integration
def test_the_intervals_are_those_of_the_shared_language(builds: Builds) -> None:
    seconds = [one.fixed_ms // 1000 if one.fixed_ms else None for one in Interval]
    assert builds.intervals == list(zip((str(one) for one in Interval), seconds, strict=True))


@pytest.mark.integration
def test_a_day_belongs_to_the_year_of_its_iso_week(builds: Builds) -> None:
    """2024-12-30 is a Monday, of the first week of 2025."""
    key, _, iso_year, iso_week, year, *_, weekday, is_weekend = builds.dates[0]
    assert (key, iso_year, iso_week, year, weekday, is_weekend) == (
        20241230,
        2025,
        1,
        2024,
        1,
        False,
    )


def test_nothing_in_the_project_can_hide_the_installed_dbt() -> None:
    """`dbt/` at the root merges with the package dbt where a folder here is called as its own."""
    assert not {path.name for path in PROJECT.iterdir()} & {"adapters", "cli", "include"}
    assert not list(PROJECT.rglob("*.py"))

"""The benchmark of the warehouse, as far as it can be held without measuring."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import create_engine, text

from benchmarks import loads, warehouse
from benchmarks.candles import minute_candles
from mela.errors import MelaError
from mela.settings import Settings
from warehouse.database import engine_for
from warehouse.schema.migrate import upgrade

pytestmark = pytest.mark.integration
NAME = f"mela_bench_{os.getpid()}"


@pytest.fixture(scope="module")
def scratch(postgres: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    admin = create_engine(postgres.postgres.url(), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {NAME}"))
        where = postgres.postgres.model_copy(update={"database": NAME})
        cache = tmp_path_factory.mktemp("cache")
        settings = postgres.model_copy(update={"postgres": where, "cache": cache})
        upgrade(settings)
        yield settings
        engine_for(settings).dispose()
    admin.dispose()


def test_reads_are_of_the_same_candles_and_become_rows(scratch: Settings, tmp_path: Path) -> None:
    rows = warehouse.reads(scratch, tmp_path / "snapshot", candles=3_000, repeats=1)
    assert [row.name.partition(".")[2] for row in rows] == ["read", "warm_read", "snapshot_read"]
    assert [row.minimum for row in rows] == [7.0, 100.0, None]
    assert all("3,000 candles" in row.note for row in rows)
    assert len(list(scratch.cache_folder.rglob("*.arrow"))) == 1


def test_upserts_are_of_the_same_candles_and_become_rows(scratch: Settings) -> None:
    rows = warehouse.upserts(scratch, 3_000, Console(file=io.StringIO()))
    kinds = [row.name.partition("_")[2] for row in rows]
    assert kinds == ["new", "unchanged", "restated"]
    assert all(row.minimum == 4.0 for row in rows)


def test_sides_that_read_other_candles_are_not_compared(scratch: Settings) -> None:
    loads.empty(scratch)
    for rows, name in ((100, "binance:A"), (101, "binance:B")):
        loads.merged(scratch, minute_candles(rows), name)
    with pytest.raises(MelaError, match="the same candles"):
        loads.held_together(
            loads.by_mela(scratch, "binance:A"), loads.by_adbc(scratch, "binance:B")
        )

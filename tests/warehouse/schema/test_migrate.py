"""warehouse/schema/migrate.py and the tables it makes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from mela.result import METRICS
from mela.settings import Settings
from tests.warehouse.given import BLOCKS, a_document, a_run, a_scene, answer, load, rows
from warehouse.database import transaction
from warehouse.results import finder as results
from warehouse.schema.migrate import head, upgrade
from warehouse.schema.migrations.versions.v0008_packed_blocks import PACK
from warehouse.schema.tables import Base
from warehouse.schema.tables.results import Result

pytestmark = pytest.mark.integration


def _ours(name: str | None, kind: str, parents: Any) -> bool:
    if kind == "schema":
        return name in ("raw", "ops", "app")
    tables = ("candle_revision", "candle_version")
    partition = bool(name) and name.startswith("candle_") and name not in tables
    return not (kind == "table" and (partition or name == "alembic_version"))


def test_the_versions_make_the_tables_that_the_code_declares(warehouse: Settings) -> None:
    options = {"include_schemas": True, "include_name": _ours, "compare_server_default": True}
    with transaction(warehouse) as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_arrays_of_block_sums_are_packed_bit_for_bit(warehouse: Settings) -> None:
    scene_id = a_scene(warehouse)
    load(warehouse, answer([1.0]))
    with transaction(warehouse) as connection:
        assert not results.save(connection, [a_document(a_run(5), scene_id)])
        connection.execute(text("ALTER TABLE ops.result DROP COLUMN blocks"))
        connection.execute(text("ALTER TABLE ops.result ADD COLUMN blocks float8[]"))
        values = {"cells": BLOCKS.rows.tolist()}
        connection.execute(text("UPDATE ops.result SET blocks = :cells"), values)
        connection.exec_driver_sql(PACK)
        packed = connection.scalar(text("SELECT blocks FROM ops.result"))
    assert packed is not None
    assert bytes(packed) == BLOCKS.cells


def test_every_metric_has_a_column() -> None:
    assert set(METRICS) <= set(Result.__table__.columns.keys())


def test_a_metric_without_a_column_gets_one_and_results_stay(warehouse: Settings) -> None:
    """A new line of the registry needs no version: the next start adds its column."""
    scene_id = a_scene(warehouse)
    load(warehouse, answer([1.0]))
    with transaction(warehouse) as connection:
        assert not results.save(connection, [a_document(a_run(5), scene_id)])
        for name in ("sharpe", "trades"):
            connection.execute(text(f"ALTER TABLE ops.result DROP COLUMN {name}"))

    assert upgrade(warehouse) == head()

    assert rows(warehouse, "SELECT sharpe, trades FROM ops.result") == [(None, None)]
    typed = "SELECT pg_typeof(sharpe)::text, pg_typeof(trades)::text FROM ops.result"
    assert rows(warehouse, typed) == [("double precision", "integer")]


def test_many_may_upgrade_at_once(warehouse: Settings) -> None:
    with transaction(warehouse) as connection:
        for schema in ("marts", "app", "raw", "ops"):
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(upgrade, [warehouse] * 3)) == {head()}

    assert rows(warehouse, "SELECT version_num FROM ops.alembic_version") == [(head(),)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE raw.candle SET high = 0.5",
        "UPDATE raw.candle SET volume = 'NaN'",
        "UPDATE raw.candle SET close = 'NaN'",
        "UPDATE raw.candle SET closed_at = opened_at",
        "UPDATE raw.candle SET instrument_id = 99",
        "UPDATE raw.candle SET load_batch_id = 99",
        "UPDATE raw.candle_version SET low = -1",
        "UPDATE raw.candle_version SET interval = '7m'",
        "UPDATE raw.candle_version SET volume = 'NaN'",
        "UPDATE raw.candle_version SET closed_at = opened_at",
        "UPDATE ops.candle_revision SET revision = 0",
        "UPDATE ops.scene SET status = 'finished'",
        "UPDATE ops.scene SET status = 'rejected'",
        "DELETE FROM ops.instrument",
        "DELETE FROM ops.load_batch",
    ],
)
def test_the_database_itself_refuses(warehouse: Settings, statement: str) -> None:
    a_scene(warehouse)
    load(warehouse, answer([2.0]))
    load(warehouse, answer([1.0]))
    with pytest.raises(IntegrityError), transaction(warehouse) as connection:
        connection.execute(text(statement))


ANSWER = "(scene_id, run_key, result_key, cached)"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ops.run SET instrument_id = 99",
        "UPDATE ops.run SET run_key = repeat('0', 64)",
        "UPDATE ops.result SET run_key = repeat('0', 64)",
        "UPDATE ops.result SET result_key = repeat('0', 64)",
        f"UPDATE ops.scene SET scene_id = '{NOBODY}'",
        f"UPDATE ops.scene_run SET scene_id = '{NOBODY}'",
        "UPDATE ops.instrument SET id = 99",
        "DELETE FROM ops.instrument",
        "DELETE FROM ops.scene",
        "DELETE FROM ops.run",
        "DELETE FROM ops.result",
        "INSERT INTO ops.run SELECT repeat('0', 64), 99, interval, start_at, end_at, strategy,"
        " params, settings FROM ops.run",
        "CREATE TEMP TABLE other ON COMMIT DROP AS SELECT * FROM ops.result;"
        " UPDATE other SET result_key = repeat('0', 64), run_key = repeat('0', 64);"
        " INSERT INTO ops.result SELECT * FROM other",
        f"INSERT INTO ops.scene_run {ANSWER} SELECT '{NOBODY}', run_key, result_key, true"
        " FROM ops.scene_run",
        f"INSERT INTO ops.scene_run {ANSWER} SELECT scene_id, repeat('0', 64), result_key, true"
        " FROM ops.scene_run",
        f"DELETE FROM ops.scene_run; INSERT INTO ops.scene_run {ANSWER}"
        " SELECT s.scene_id, r.run_key, repeat('0', 64), true FROM ops.scene s, ops.result r",
    ],
)
def test_what_runs_results_and_answers_refer_to_is_there_and_stays(
    warehouse: Settings, statement: str
) -> None:
    scene_id = a_scene(warehouse)
    with transaction(warehouse) as connection:
        assert results.save(connection, [a_document(a_run(), scene_id)]) == []
    said = pytest.raises(IntegrityError, match=r"exist|there is still|do not change|foreign key")
    with said, transaction(warehouse) as connection:
        connection.execute(text(statement))
    with transaction(warehouse) as connection:
        for table in ("scene_run", "result", "run"):
            connection.execute(text(f"DELETE FROM ops.{table}"))

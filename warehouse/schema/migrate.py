"""Bring the warehouse's tables to this code's version. Versions go forward only."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from mela.metrics import TYPES
from mela.settings import Settings
from warehouse.database import transaction

LOG = structlog.get_logger(__name__)
MIGRATIONS = Path(__file__).parent / "migrations"
_COLUMNS = text("""
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass('ops.result') AND attnum > 0 AND NOT attisdropped
""")
LOCK = 0x6D656C61  # "mela": whoever migrates holds it


def upgrade(settings: Settings) -> str:
    """Apply the missing versions and return the newest; nothing to do costs three short queries.

    A metric of the registry that ops.result lacks becomes a column of it, without a version.

    Safe to call by many at once: one works, the others wait and find it done.
    """
    with transaction(settings) as connection:
        if _version(connection) != head() or _metrics_without_column(connection):
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            _migrate(connection)
    return head()


@lru_cache(maxsize=1)
def head() -> str:
    """Return the newest version that this code brings."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _migrate(connection: Connection) -> None:
    before = _version(connection)
    if before != head():  # else somebody was faster
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS ops"))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        LOG.info("warehouse_migrated", before=before, after=head())
    if missing := _metrics_without_column(connection):
        # Columns that may be null and have no default: no row is written again.
        added = ", ".join(f"ADD COLUMN {name} {kind}" for name, kind in missing.items())
        connection.exec_driver_sql(f"ALTER TABLE ops.result {added}")
        LOG.info("metrics_added", metrics=list(missing))


def _metrics_without_column(connection: Connection) -> dict[str, str]:
    """Return the metrics that ops.result has no column for, and the type of each."""
    found = connection.scalars(_COLUMNS).all()
    return {
        name: "integer" if kind is int else "float8" for name, kind in TYPES if name not in found
    }


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def _version(connection: Connection) -> str | None:
    if connection.scalar(text("SELECT to_regclass('ops.alembic_version')")) is None:
        return None
    return connection.scalar(text("SELECT version_num FROM ops.alembic_version"))

"""Bring the warehouse's tables to this code's version. Versions go forward only."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from mela.settings import Settings
from warehouse.database import transaction

LOG = structlog.get_logger(__name__)
MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x6D656C61  # "mela": whoever migrates holds it


def upgrade(settings: Settings) -> str:
    """Apply the missing versions and return the newest; nothing to do costs two short queries.

    Safe to call by many at once: one works, the others wait and find it done.
    """
    with transaction(settings) as connection:
        if _version(connection) != head():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            _migrate(connection)
    return head()


@lru_cache(maxsize=1)
def head() -> str:
    """Return the newest version that this code brings."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _migrate(connection: Connection) -> None:
    before = _version(connection)
    if before == head():  # somebody was faster
        return
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS ops"))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    LOG.info("warehouse_migrated", before=before, after=head())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def _version(connection: Connection) -> str | None:
    if connection.scalar(text("SELECT to_regclass('ops.alembic_version')")) is None:
        return None
    return connection.scalar(text("SELECT version_num FROM ops.alembic_version"))

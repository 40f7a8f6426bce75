"""A warehouse of the tests' own: a scratch database on the project's Postgres, empty for each."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from mela.settings import Settings
from warehouse.database import engine_for, transaction
from warehouse.migrate import upgrade

SCRATCH = f"mela_warehouse_{os.getpid()}"
EMPTY = text(
    "TRUNCATE ops.instrument, ops.user, ops.scene, raw.candle, raw.candle_version"
    " RESTART IDENTITY CASCADE"
)


@pytest.fixture(scope="session")
def scratch(postgres: Settings) -> Iterator[Settings]:
    admin = create_engine(postgres.postgres.url(), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {SCRATCH}"))
        where = postgres.postgres.model_copy(update={"database": SCRATCH})
        settings = postgres.model_copy(update={"postgres": where})
        upgrade(settings)
        yield settings
        engine_for(settings).dispose()
        connection.execute(text(f"DROP DATABASE {SCRATCH} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def warehouse(scratch: Settings) -> Settings:
    with transaction(scratch) as connection:
        connection.execute(EMPTY)
    return scratch

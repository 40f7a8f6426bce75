"""Access to Postgres: engines, transactions and COPY."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from functools import lru_cache
from io import BytesIO
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text

from mela.settings import Settings

_BY_KEY, _AS_PLANNED = text("SET LOCAL enable_seqscan = off"), text("SET LOCAL enable_seqscan = on")
CONNECT = {"connect_timeout": 10, "application_name": "mela", "options": "-c timezone=UTC"}


def engine_for(settings: Settings) -> Engine:
    """Return this process's engine for the warehouse, one per URL; it tests its connections."""
    return _engine(settings.postgres.url())


@contextmanager
def transaction(settings: Settings) -> Generator[Connection]:
    """Yield a connection; commit its work at the end, or roll it back if the block raises."""
    with engine_for(settings).begin() as connection:
        yield connection


@contextmanager
def by_key(connection: Connection) -> Generator[None]:
    """Have each row looked up by its key, however many rows Postgres takes a question to mean.

    It knows of scenes how many rows they have on average. A scene of one run beside some grids was
    planned as a scan of all answers, for each such scene.
    """
    connection.execute(_BY_KEY)
    yield
    connection.execute(_AS_PLANNED)  # after an error the transaction ends, and this with it


def copy_in(connection: Connection, statement: str, content: bytes) -> None:
    """Send a COPY … FROM STDIN statement and its content."""
    with closing(_cursor(connection)) as cursor:
        cursor.copy_expert(statement, BytesIO(content))


def copy_out(connection: Connection, query: str, values: Mapping[str, Any]) -> memoryview:
    """Return a query's rows in COPY's binary format. `values` fill the query's `%(name)s`."""
    with closing(_cursor(connection)) as cursor:
        filled = cursor.mogrify(query, values).decode()
        content = BytesIO()
        cursor.copy_expert(f"COPY ({filled}) TO STDOUT (FORMAT binary)", content)
    return content.getbuffer()


def _cursor(connection: Connection) -> Any:
    return connection.connection.cursor()


@lru_cache(maxsize=8)
def _engine(url: str) -> Engine:
    # Connections are made when they are needed, and kept: to sign in takes longer than to ask.
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_use_lifo=True,
        pool_size=15,
        max_overflow=5,
        connect_args=CONNECT,
    )


# A forked child must not use its parent's connections; it creates its own engines.
os.register_at_fork(after_in_child=_engine.cache_clear)

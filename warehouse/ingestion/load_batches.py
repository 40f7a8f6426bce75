"""Load batches: begin one, hold it while its load lives, and close those whose load was killed.

A load holds an advisory lock, named after its batch, on its own connection. It takes the lock
before the batch becomes visible and keeps it until the load ends. Postgres releases the lock when
the connection ends, however the process ended. So a batch that is `running` and whose lock is free
has been abandoned.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import Connection, text

import mela
from mela.settings import Settings
from warehouse.database import engine_for, transaction

LOG = structlog.get_logger(__name__)
LOCKS = 0x6C6F6164 << 32  # "load"; with the batch's number added, one lock each
ABANDONED = (
    "Abandoned: the process that ran this load ended without a word (killed, out of memory, or the "
    "machine went down). Nothing of it was stored; load the span again."
)
_BEGIN = text("""
    INSERT INTO ops.load_batch (interval, source, request, span_start, span_end, code_version)
    VALUES (:interval, :source, :request, :start, :end, :code_version) RETURNING id
""")
_HOLD = text("SELECT pg_advisory_lock(:lock)")
_FAILED = text("""
    UPDATE ops.load_batch SET status = 'failed', finished_at = clock_timestamp(), error = :error
    WHERE id = :batch AND status = 'running'
""")
_ABANDONED = text("""
    WITH running AS MATERIALIZED (
        SELECT id FROM ops.load_batch WHERE status = 'running' ORDER BY id FOR UPDATE SKIP LOCKED
    )
    UPDATE ops.load_batch AS batch
    SET status = 'failed', finished_at = clock_timestamp(), error = :error
    FROM running WHERE batch.id = running.id AND pg_try_advisory_xact_lock(:locks + running.id)
    RETURNING batch.id
""")


@contextmanager
def load_batch(settings: Settings, fields: Mapping[str, Any]) -> Generator[int]:
    """Begin a load batch and yield its id. If the block raises, the batch is closed with the error.

    fields: interval, source, request (JSON), start, end. Abandoned batches are closed first.
    """
    with engine_for(settings).connect() as held:
        held.detach()  # closed at the end instead of pooled, which releases the lock
        with held.begin():
            batch: int = held.execute(
                _BEGIN, {**fields, "code_version": mela.__version__}
            ).scalar_one()
            held.execute(_HOLD, {"lock": LOCKS + batch})
        with transaction(settings) as connection:
            close_abandoned(connection)
        try:
            yield batch
        except BaseException as error:
            message = f"{type(error).__name__}: {error}".replace("\0", " ")
            with transaction(settings) as connection:
                connection.execute(_FAILED, {"batch": batch, "error": message})
            LOG.warning("load_failed", batch=batch, request=fields["request"], error=message)
            raise


def close_abandoned(connection: Connection) -> list[int]:
    """Close the batches that are `running` but whose load is gone; return their ids."""
    values = {"error": ABANDONED, "locks": LOCKS}
    closed = sorted(connection.scalars(_ABANDONED, values))
    if closed:
        LOG.warning("loads_abandoned", batches=closed)
    return closed

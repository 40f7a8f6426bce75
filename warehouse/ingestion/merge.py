"""Merge a source's answer into raw: candles, corporate actions, and the revisions they cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from mela.run import from_ms
from sources.protocol import FetchedCandles
from warehouse.binary import encode
from warehouse.database import copy_in
from warehouse.ingestion.candle_diff import (
    PRICES,
    TYPES,
    CandleDiff,
    Mask,
    diff_candles,
    session_days,
)
from warehouse.ingestion.corporate_actions import merge_actions, revise_all

LOCK = 0x6D63  # with the instrument's id: loads of one instrument commit in turn
WHOLE = (
    {"opened_at": "timestamptz", "instrument_id": "int4", "interval": "text"}
    | TYPES
    | {"revision": "int4", "load_batch_id": "int8"}
)
# A revision's time is taken under the lock, so times follow the order of commits as numbers do. It
# is later than the previous one even if the clock was set back.
_NEXT = text("""
    SELECT coalesce(newest.revision, 0) + 1 AS revision,
           greatest(clock_timestamp(), newest.created_at + interval '1 microsecond') AS moment
    FROM (SELECT) AS always LEFT JOIN LATERAL (
        SELECT revision, created_at FROM ops.candle_revision
        WHERE instrument_id = :id AND interval = :interval ORDER BY revision DESC LIMIT 1
    ) AS newest ON true
""")
_REVISE = text("""
    INSERT INTO ops.candle_revision (instrument_id, interval, revision, load_batch_id,
                                     first_opened_at, last_opened_at, reason, created_at)
    VALUES (:id, :interval, :revision, :batch, :first, :last, 'candles', :moment)
""")
_STAGE = text("""
    CREATE TEMP TABLE IF NOT EXISTS changed_candle (opened_at timestamptz) ON COMMIT DELETE ROWS
""")
# Postgres has no statistics of a table just filled, and might choose nested loops.
_NO_LOOPS = text("SELECT set_config('enable_nestloop', :state, true)")
_SUPERSEDE = text("""
    WITH gone AS (
        DELETE FROM raw.candle AS old USING changed_candle AS changed
        WHERE old.instrument_id = :id AND old.interval = :interval
          AND old.opened_at BETWEEN :first AND :last AND old.opened_at = changed.opened_at
        RETURNING old.*
    ), since AS MATERIALIZED (
        SELECT revision, coalesce((
            SELECT created_at FROM ops.candle_revision r
            WHERE r.instrument_id = :id AND r.interval = :interval
              AND r.revision = named.revision), :moment) AS at
        FROM (SELECT DISTINCT revision FROM gone) AS named
    )
    INSERT INTO raw.candle_version
        (instrument_id, interval, opened_at, closed_at, session_on, open, high, low, close,
         volume, revision, load_batch_id, known_from, known_until)
    SELECT instrument_id, interval, opened_at, closed_at, session_on, open, high, low, close,
           volume, revision, load_batch_id, least(at, :moment), :moment
    FROM gone JOIN since USING (revision)
""")


@dataclass(frozen=True, slots=True)
class Merged:
    """The changes of a merge. revision: the series' newest one; None if nothing changed."""

    inserted: int
    updated: int
    unchanged: int
    actions: int
    revision: int | None


def merge(
    connection: Connection, instrument_id: int, batch: int, fetched: FetchedCandles, since: datetime
) -> Merged:
    """Merge one answer and add revisions for what really changed, all in this transaction.

    since: the start of the requested span; a stored corporate action after it that the answer lacks
        is deleted, unless the answer holds no candles at all
    Call warehouse.schema.partitions.ensure_years first. Candles of a year without a partition are
    stored too, but in the default partition.
    """
    lock = {"lock": LOCK, "id": instrument_id}
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock, :id)"), lock)
    found = diff_candles(connection, instrument_id, fetched)
    revision = _write(connection, instrument_id, batch, fetched, found)
    events = merge_actions(connection, instrument_id, batch, fetched, since)
    by_interval = revise_all(connection, instrument_id, batch, events)
    inserted, updated = int(found.new.sum()), int(found.changed.sum())
    return Merged(
        inserted=inserted,
        updated=updated,
        unchanged=len(fetched) - inserted - updated,
        actions=len(events),
        revision=by_interval.get(fetched.interval.value, revision),
    )


def span_of(fetched: FetchedCandles) -> tuple[datetime | None, datetime | None]:
    """Return the opening times of an answer's first and last candle."""
    if not len(fetched):
        return None, None
    return from_ms(int(fetched.opened_ms[0])), from_ms(int(fetched.opened_ms[-1]))


def _write(
    connection: Connection,
    instrument_id: int,
    batch: int,
    fetched: FetchedCandles,
    found: CandleDiff,
) -> int | None:
    """Write new and changed candles under the series' next revision; return that revision."""
    touched = found.touched
    if not len(touched):
        return None
    series = {"id": instrument_id, "interval": fetched.interval.value, "batch": batch}
    numbered = connection.execute(_NEXT, series).mappings().one()
    first, last = (from_ms(int(fetched.opened_ms[touched[place]])) for place in (0, -1))
    values = series | {"first": first, "last": last} | dict(numbered)
    connection.execute(_REVISE, values)
    if found.changed.any():
        _supersede(connection, fetched.opened_ms[found.changed], values)
    # Writes to the interval's own table, where Postgres inserts many rows at once; the triggers of
    # raw.candle prevent that. Their guarantees hold all the same: the revision's row refers to
    # instrument and batch by foreign keys, and the replaced candles are versions already.
    columns = _columns(fetched, found.new | found.changed) | {
        "instrument_id": instrument_id,
        "interval": fetched.interval.value.encode(),
        "revision": numbered["revision"],
        "load_batch_id": batch,
    }
    _copy(connection, f"raw.candle_{fetched.interval.value}", columns, WHOLE)
    return numbered["revision"]


def _supersede(
    connection: Connection, opened_ms: NDArray[np.int64], values: Mapping[str, Any]
) -> None:
    # Deletes and inserts, because an update writes index entries row by row.
    connection.execute(_STAGE)
    _copy(connection, "changed_candle", {"opened_at": opened_ms}, {"opened_at": "timestamptz"})
    connection.execute(_NO_LOOPS, {"state": "off"})
    connection.execute(_SUPERSEDE, values)
    connection.execute(_NO_LOOPS, {"state": "on"})


def _columns(fetched: FetchedCandles, chosen: Mask) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "opened_at": fetched.opened_ms[chosen],
        "closed_at": fetched.closed_ms[chosen],
        **{name: getattr(fetched, name)[chosen] for name in (*PRICES, "volume")},
    }
    days = session_days(fetched)
    if days is not None:
        columns["session_on"] = days[chosen]
    return {name: np.ascontiguousarray(column) for name, column in columns.items()}


def _copy(
    connection: Connection, table: str, columns: Mapping[str, Any], types: Mapping[str, str]
) -> None:
    present = {name: kind for name, kind in types.items() if name in columns}
    target = f"COPY {table} ({', '.join(present)}) FROM STDIN (FORMAT binary)"
    copy_in(connection, target, encode(columns, present))

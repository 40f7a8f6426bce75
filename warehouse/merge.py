"""Merge a source's answer into raw: candles, corporate actions, and the revisions they cause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from mela.run import from_ms
from sources.protocol import Fetched
from warehouse.binary import encode
from warehouse.database import copy_in

LOCK = 0x6D63  # with the instrument's id: loads of one instrument commit one after the other
TYPES = {"opened_at": "timestamptz", "closed_at": "timestamptz", "session_on": "date"} | (
    dict.fromkeys(("open", "high", "low", "close", "volume"), "float8")
)
_STAGE = text("""
    CREATE TEMP TABLE IF NOT EXISTS fetched_candle (
        opened_at timestamptz, closed_at timestamptz, session_on date,
        open float8, high float8, low float8, close float8, volume float8
    ) ON COMMIT DELETE ROWS
""")
_NEXT = text("""
    SELECT coalesce(max(revision), 0) + 1 FROM ops.candle_revision
    WHERE instrument_id = :id AND interval = :interval
""")
_MERGE = text("""
    WITH merged AS (
        INSERT INTO raw.candle AS old
            (instrument_id, interval, opened_at, closed_at, session_on,
             open, high, low, close, volume, revision, load_batch_id)
        SELECT :id, :interval, opened_at, closed_at, session_on,
               open, high, low, close, volume, :revision, :batch
        FROM fetched_candle ORDER BY opened_at
        ON CONFLICT (instrument_id, interval, opened_at) DO UPDATE SET
            closed_at = excluded.closed_at, session_on = excluded.session_on,
            open = excluded.open, high = excluded.high, low = excluded.low,
            close = excluded.close, volume = excluded.volume,
            revision = excluded.revision, load_batch_id = excluded.load_batch_id
        WHERE (old.closed_at, old.session_on, old.open, old.high, old.low, old.close, old.volume)
            IS DISTINCT FROM (excluded.closed_at, excluded.session_on, excluded.open,
                excluded.high, excluded.low, excluded.close, excluded.volume)
        RETURNING opened_at
    ), there_before AS (
        SELECT count(*) AS n FROM fetched_candle JOIN raw.candle AS old USING (opened_at)
        WHERE old.instrument_id = :id AND old.interval = :interval
    )
    SELECT count(*) AS changed, (SELECT n FROM there_before) AS there_before,
           min(opened_at) AS first_opened_at, max(opened_at) AS last_opened_at FROM merged
""")  # the lock makes this count exact: a partitioned table's xmax cannot be returned
_REVISE = text("""
    INSERT INTO ops.candle_revision (instrument_id, interval, revision, load_batch_id,
                                     first_opened_at, last_opened_at, reason)
    VALUES (:id, :interval, :revision, :batch, :first, :last, 'candles')
""")
_ACTIONS = text("""
    WITH asked AS (
        SELECT kind, effective_on, value FROM unnest(
            CAST(:kinds AS text[]), CAST(:days AS date[]), CAST(:amounts AS float8[])
        ) AS asked (kind, effective_on, value)
    ), gone AS (
        DELETE FROM raw.corporate_action AS old
        WHERE instrument_id = :id AND effective_on >= :since AND NOT EXISTS (
            SELECT FROM asked
            WHERE asked.kind = old.kind AND asked.effective_on = old.effective_on)
        RETURNING effective_on
    ), said AS (
        INSERT INTO raw.corporate_action AS old
            (instrument_id, kind, effective_on, value, load_batch_id)
        SELECT :id, kind, effective_on, value, :batch FROM asked ORDER BY kind, effective_on
        ON CONFLICT (instrument_id, kind, effective_on) DO UPDATE SET
            value = excluded.value, load_batch_id = excluded.load_batch_id
        WHERE old.value IS DISTINCT FROM excluded.value
        RETURNING effective_on
    )
    SELECT effective_on::timestamp AT TIME ZONE 'UTC' FROM gone
    UNION SELECT effective_on::timestamp AT TIME ZONE 'UTC' FROM said ORDER BY 1
""")
_REVISE_ALL = text("""
    WITH series AS (
        SELECT interval, max(revision) AS revision FROM ops.candle_revision
        WHERE instrument_id = :id GROUP BY interval
    )
    INSERT INTO ops.candle_revision (instrument_id, interval, revision, load_batch_id,
                                     first_opened_at, last_opened_at, reason)
    SELECT :id, s.interval, s.revision + row_number() OVER (PARTITION BY s.interval ORDER BY at),
           :batch, at, at, 'corporate_action'
    FROM series s CROSS JOIN unnest(CAST(:changed AS timestamptz[])) AS at
    WHERE NOT EXISTS (
        SELECT FROM ops.candle_revision r
        WHERE r.instrument_id = :id AND r.interval = s.interval AND r.load_batch_id = :batch
          AND at BETWEEN r.first_opened_at AND r.last_opened_at)
    RETURNING interval, revision
""")


_REVISE_RULES = text("""
    INSERT INTO ops.candle_revision (instrument_id, interval, revision, load_batch_id,
                                     first_opened_at, last_opened_at, reason)
    SELECT instrument_id, interval, max(revision) + 1, :batch, min(first_opened_at),
           max(last_opened_at), 'trading_rules'
    FROM ops.candle_revision WHERE instrument_id = :id GROUP BY instrument_id, interval
""")


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge changed. revision: the series' newest of this merge; None where nothing did."""

    inserted: int
    updated: int
    unchanged: int
    actions: int
    revision: int | None


def merge(
    connection: Connection, instrument_id: int, batch: int, fetched: Fetched, since: datetime
) -> Merged:
    """Merge one answer and add the revisions of what truly changed, all in this transaction.

    since: the start of the span that was asked; a stored corporate action after it that the answer
        lacks has vanished, unless the answer holds no candles at all
    """
    lock = {"lock": LOCK, "id": instrument_id}
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock, :id)"), lock)
    key = {"id": instrument_id, "interval": fetched.interval.value, "batch": batch}
    revision: int = connection.execute(_NEXT, key).scalar_one()
    _stage(connection, fetched)
    found = connection.execute(_MERGE, key | {"revision": revision}).one()
    inserted = len(fetched) - found.there_before
    if found.changed:
        span = {"first": found.first_opened_at, "last": found.last_opened_at}
        connection.execute(_REVISE, key | span | {"revision": revision})
    events = _merge_actions(connection, instrument_id, batch, fetched, since)
    by_interval = _revise_all(connection, instrument_id, batch, events)
    newest = by_interval.get(fetched.interval.value, revision if found.changed else None)
    return Merged(
        inserted=inserted,
        updated=found.changed - inserted,
        unchanged=len(fetched) - found.changed,
        actions=len(events),
        revision=newest,
    )


def _stage(connection: Connection, fetched: Fetched) -> None:
    connection.execute(_STAGE)
    columns: dict[str, NDArray[Any]] = {
        "opened_at": fetched.opened_ms,
        "closed_at": fetched.closed_ms,
        **{name: getattr(fetched, name) for name in ("open", "high", "low", "close", "volume")},
    }
    if fetched.session_on is not None:
        days = np.array(fetched.session_on, dtype="datetime64[D]")
        columns["session_on"] = days.astype(np.int64)
    types = {name: kind for name, kind in TYPES.items() if name in columns}
    target = f"COPY fetched_candle ({', '.join(types)}) FROM STDIN (FORMAT binary)"
    copy_in(connection, target, encode(columns, types))


def _merge_actions(
    connection: Connection, instrument_id: int, batch: int, fetched: Fetched, since: datetime
) -> list[datetime]:
    if not len(fetched) and not fetched.actions:
        return []
    values = {
        "kinds": [action.kind for action in fetched.actions],
        "days": [action.effective_on for action in fetched.actions],
        "amounts": [action.value for action in fetched.actions],
    }
    values |= {"id": instrument_id, "batch": batch, "since": since.astimezone(UTC).date()}
    return list(connection.scalars(_ACTIONS, values))


def _revise_all(
    connection: Connection, instrument_id: int, batch: int, changed: list[datetime]
) -> dict[str, int]:
    if not changed:
        return {}
    values = {"id": instrument_id, "batch": batch, "changed": changed}
    newest: dict[str, int] = {}
    for interval, revision in connection.execute(_REVISE_ALL, values):
        newest[interval] = max(revision, newest.get(interval, 0))
    return newest


def revise_rules(connection: Connection, instrument_id: int, batch: int) -> None:
    """Add a revision to all candles of an instrument whose tick or lot is another now.

    Runs that round to them would answer otherwise. To be called in the transaction of a merge.
    """
    connection.execute(_REVISE_RULES, {"id": instrument_id, "batch": batch})


def span_of(fetched: Fetched) -> tuple[datetime | None, datetime | None]:
    """Return the opening times of an answer's first and last candle."""
    if not len(fetched):
        return None, None
    return from_ms(int(fetched.opened_ms[0])), from_ms(int(fetched.opened_ms[-1]))

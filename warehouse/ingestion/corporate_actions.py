"""Merge corporate actions into raw, and add revisions to every series that they affect."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, text

from sources.protocol import FetchedCandles
from sources.splits import action_tolerance

_MERGE = text("""
    WITH asked AS (
        SELECT kind, effective_on, value, leeway FROM unnest(
            CAST(:kinds AS text[]), CAST(:days AS date[]), CAST(:amounts AS float8[]),
            CAST(:leeways AS float8[])
        ) AS asked (kind, effective_on, value, leeway)
    ), gone AS (
        DELETE FROM raw.corporate_action AS old
        WHERE instrument_id = :id AND effective_on >= :since AND NOT EXISTS (
            SELECT FROM asked
            WHERE asked.kind = old.kind AND asked.effective_on = old.effective_on)
        RETURNING effective_on
    ), said AS (
        INSERT INTO raw.corporate_action AS old
            (instrument_id, kind, effective_on, value, load_batch_id)
        SELECT :id, kind, effective_on, value, :batch FROM asked
        WHERE NOT EXISTS (
            SELECT FROM raw.corporate_action AS same
            WHERE same.instrument_id = :id AND same.kind = asked.kind
              AND same.effective_on = asked.effective_on
              AND abs(same.value - asked.value) <= asked.leeway)
        ORDER BY kind, effective_on
        ON CONFLICT (instrument_id, kind, effective_on) DO UPDATE SET
            value = excluded.value, load_batch_id = excluded.load_batch_id
        RETURNING effective_on
    )
    SELECT effective_on::timestamp AT TIME ZONE 'UTC' FROM gone
    UNION SELECT effective_on::timestamp AT TIME ZONE 'UTC' FROM said ORDER BY 1
""")
# Times rise with revisions, as in warehouse.ingestion.merge, even if the clock was set back.
_REVISE_ALL = text("""
    WITH series AS (
        SELECT interval, max(revision) AS revision, max(created_at) AS newest_at
        FROM ops.candle_revision WHERE instrument_id = :id GROUP BY interval
    )
    INSERT INTO ops.candle_revision (instrument_id, interval, revision, load_batch_id,
                                     first_opened_at, last_opened_at, reason, created_at)
    SELECT :id, s.interval, s.revision + row_number() OVER (PARTITION BY s.interval ORDER BY at),
           :batch, at, at, 'corporate_action',
           greatest(clock_timestamp(), s.newest_at)
               + row_number() OVER (PARTITION BY s.interval ORDER BY at) * interval '1 microsecond'
    FROM series s CROSS JOIN unnest(CAST(:changed AS timestamptz[])) AS at
    WHERE NOT EXISTS (
        SELECT FROM ops.candle_revision r
        WHERE r.instrument_id = :id AND r.interval = s.interval AND r.load_batch_id = :batch
          AND at BETWEEN r.first_opened_at AND r.last_opened_at)
    RETURNING interval, revision
""")
_REVISE_RULES = text("""
    INSERT INTO ops.candle_revision (instrument_id, interval, revision, load_batch_id,
                                     first_opened_at, last_opened_at, reason, created_at)
    SELECT instrument_id, interval, max(revision) + 1,
           coalesce(CAST(:batch AS bigint), max(load_batch_id)), min(first_opened_at),
           max(last_opened_at), 'trading_rules',
           greatest(clock_timestamp(), max(created_at) + interval '1 microsecond')
    FROM ops.candle_revision WHERE instrument_id = :id GROUP BY instrument_id, interval
""")


def merge_actions(
    connection: Connection, instrument_id: int, batch: int, fetched: FetchedCandles, since: datetime
) -> list[datetime]:
    """Merge the corporate actions of an answer; return the days of those that really changed.

    since: a stored action after this instant that the answer lacks is deleted, unless the answer
        holds neither candles nor actions
    """
    if not len(fetched) and not fetched.actions:
        return []
    values = {
        "kinds": [action.kind for action in fetched.actions],
        "days": [action.effective_on for action in fetched.actions],
        "amounts": [action.value for action in fetched.actions],
        "leeways": action_tolerance(fetched),
    }
    values |= {"id": instrument_id, "batch": batch, "since": since.astimezone(UTC).date()}
    return list(connection.scalars(_MERGE, values))


def revise_all(
    connection: Connection, instrument_id: int, batch: int, changed: list[datetime]
) -> dict[str, int]:
    """Add a revision for each changed day to every series; return the newest by interval."""
    if not changed:
        return {}
    values = {"id": instrument_id, "batch": batch, "changed": changed}
    newest: dict[str, int] = {}
    for interval, revision in connection.execute(_REVISE_ALL, values):
        newest[interval] = max(revision, newest.get(interval, 0))
    return newest


def revise_rules(connection: Connection, instrument_id: int, batch: int | None) -> None:
    """Add a revision to all series of an instrument of which a fact changed that runs rest on.

    Another tick, lot or calendar gives other results. Call it in a merge's transaction.
    batch: the load that brought the change; None where a user told it, for each series' newest load
    """
    connection.execute(_REVISE_RULES, {"id": instrument_id, "batch": batch})

"""Facts of instruments with where they come from, each version of them, and files as an origin.

A changed fact makes a version. What dbt's snapshot has seen until now becomes the first versions,
and the days from which they held stay, so that the keys of `dim_instrument` stay too.

Periods of returns are sessions of the instrument's calendar now. The series whose results differ by
that have candles on a Saturday, or sessions that cross midnight in UTC: they get a revision, so
that these results, and no others, are computed again.
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"

KINDS = "'spot', 'perp', 'future', 'option', 'equity', 'etf', 'fund', 'index', 'fx'"
CHANGES = f"""
ALTER TABLE ops.instrument
    ADD COLUMN base text,
    ADD COLUMN exchange text,
    ADD COLUMN timezone text,
    ADD COLUMN origins jsonb,
    ADD COLUMN known_from timestamptz,
    DROP CONSTRAINT instrument_kind_check,
    ADD CONSTRAINT instrument_kind_check CHECK (kind IN ({KINDS}));

CREATE TABLE ops.instrument_version (
    instrument_id integer NOT NULL,
    known_from timestamptz NOT NULL,
    known_until timestamptz NOT NULL,
    kind text NOT NULL,
    quote text NOT NULL,
    calendar text NOT NULL,
    tick float8,
    lot float8,
    listed_on date,
    delisted_on date,
    base text,
    exchange text,
    timezone text,
    origins jsonb,
    CONSTRAINT instrument_version_pkey PRIMARY KEY (instrument_id, known_from),
    CONSTRAINT instrument_version_kind_check CHECK (kind IN ({KINDS})),
    CONSTRAINT instrument_version_listing_check CHECK (delisted_on >= listed_on),
    CONSTRAINT instrument_version_steps_check CHECK (tick > 0 AND lot > 0),
    CONSTRAINT instrument_version_span_check CHECK (known_until > known_from),
    CONSTRAINT instrument_version_instrument_id_fkey FOREIGN KEY (instrument_id)
        REFERENCES ops.instrument (id)
);
COMMENT ON TABLE ops.instrument_version IS
    'what was known of an instrument before a fact changed. Grain: instrument, known_from';

ALTER TABLE ops.load_batch
    DROP CONSTRAINT load_batch_origin_check,
    ADD CONSTRAINT load_batch_origin_check CHECK (origin IN ('internet', 'replay', 'file'));
"""
SNAPSHOT = "SELECT to_regclass('history.instrument_history')"
SEEN = """
CREATE TEMP TABLE seen_version ON COMMIT DROP AS
SELECT i.id, h.dbt_valid_from::timestamptz AS since,
       lead(h.dbt_valid_from::timestamptz) OVER versions AS until,
       h.kind, h.quote, h.calendar, h.tick, h.lot, h.listed_on, h.delisted_on,
       (h.kind, h.quote, h.calendar, h.tick, h.lot, h.listed_on, h.delisted_on)
           IS NOT DISTINCT FROM
       (i.kind, i.quote, i.calendar, i.tick, i.lot, i.listed_on, i.delisted_on) AS is_todays
FROM history.instrument_history h
JOIN ops.instrument i ON h.instrument = i.venue || ':' || i.symbol
WINDOW versions AS (PARTITION BY h.instrument ORDER BY h.dbt_valid_from)
"""
KEEP = """
INSERT INTO ops.instrument_version
    (instrument_id, known_from, known_until, kind, quote, calendar, tick, lot, listed_on,
     delisted_on)
SELECT id, since, coalesce(until, greatest(now(), since + interval '1 microsecond')), kind, quote,
       calendar, tick, lot, listed_on, delisted_on
FROM seen_version WHERE until IS NOT NULL OR NOT is_todays
"""
CURRENT = """
UPDATE ops.instrument AS instrument
SET known_from = CASE WHEN seen.is_todays THEN seen.since
                      ELSE greatest(now(), seen.since + interval '1 microsecond') END
FROM seen_version seen WHERE seen.id = instrument.id AND seen.until IS NULL
"""
OTHER_PERIODS = """
INSERT INTO ops.candle_revision (instrument_id, interval, revision, load_batch_id,
                                 first_opened_at, last_opened_at, reason, created_at)
SELECT r.instrument_id, r.interval, max(r.revision) + 1, max(r.load_batch_id),
       min(r.first_opened_at), max(r.last_opened_at), 'trading_rules',
       greatest(now(), max(r.created_at) + interval '1 microsecond')
FROM ops.candle_revision r JOIN ops.instrument i ON i.id = r.instrument_id
WHERE i.calendar NOT IN ('24/7', '24/5') AND r.interval NOT IN ('1w', '1mo') AND EXISTS (
    SELECT FROM raw.candle c
    WHERE c.instrument_id = r.instrument_id AND c.interval = r.interval
      AND (extract(isodow FROM c.opened_at AT TIME ZONE 'UTC') = 6
           OR (c.interval NOT IN ('1d', '3d')
               AND c.session_on <> (c.opened_at AT TIME ZONE 'UTC')::date)))
GROUP BY r.instrument_id, r.interval
"""


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    run(CHANGES)
    if run(SNAPSHOT).scalar() is not None:
        for statement in (SEEN, KEEP, CURRENT):
            run(statement)
    run(OTHER_PERIODS)

"""Candles by interval and year, and every version that a vendor gave of one."""

# ruff: noqa: S608  made of this file's own constants
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alembic import op

revision = "0006"
down_revision = "0005"

INTRADAY = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h")
COLUMNS = """instrument_id, interval, opened_at, closed_at, session_on,
    open, high, low, close, volume, revision, load_batch_id"""
VALUES = "closed_at, session_on, open, high, low, close, volume"
GONE, COME = (
    ", ".join(f"{side}.{name}" for name in VALUES.split(", ")) for side in ("gone", "come")
)
CHANGED = f"({GONE}) IS DISTINCT FROM ({COME})"

VERSION = """
CREATE TABLE raw.candle_version (
    instrument_id integer NOT NULL,
    interval text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz NOT NULL,
    session_on date,
    open float8 NOT NULL,
    high float8 NOT NULL,
    low float8 NOT NULL,
    close float8 NOT NULL,
    volume float8 NOT NULL,
    revision integer NOT NULL,
    load_batch_id bigint NOT NULL,
    known_from timestamptz NOT NULL,
    known_until timestamptz NOT NULL,
    CONSTRAINT candle_version_pkey
        PRIMARY KEY (instrument_id, opened_at, interval, known_until),
    CONSTRAINT candle_version_known_check CHECK (known_until >= known_from)
)
"""

# A changed candle leaves the row that was there before, whoever changes it. That one was known from
# the moment of its own revision until the moment of the next; both are written under the lock of
# the load. Where somebody adds the revision after the candles, the transaction's start is both.
# Without nested loops: the plan is kept from one statement to the next, and one made for a single
# row compares, with a thousand, each with every other.
KEEP = f"""
CREATE FUNCTION raw.refuse_unrevised() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
    RAISE check_violation USING
        MESSAGE = 'a changed candle must carry a higher revision: stored results rest on it';
END $$;
CREATE FUNCTION raw.keep_candle_version() RETURNS trigger LANGUAGE plpgsql
SET enable_nestloop = off AS $$
BEGIN
    INSERT INTO raw.candle_version
        (instrument_id, interval, opened_at, {VALUES}, revision, load_batch_id,
         known_from, known_until)
    WITH moment AS MATERIALIZED (  -- looked up once for each revision, not for each candle
        SELECT instrument_id, interval, revision, coalesce((
            SELECT created_at FROM ops.candle_revision r
            WHERE r.instrument_id = named.instrument_id AND r.interval = named.interval
              AND r.revision = named.revision), now()) AS at
        FROM (SELECT instrument_id, interval, revision FROM gone
              UNION SELECT instrument_id, interval, revision FROM come) AS named
    )
    SELECT instrument_id, interval, opened_at, {GONE}, gone.revision, gone.load_batch_id,
           least(since.at, till.at),
           CASE WHEN come.revision > gone.revision THEN till.at ELSE raw.refuse_unrevised() END
    FROM gone
    JOIN come USING (instrument_id, interval, opened_at)
    JOIN moment AS since USING (instrument_id, interval)
    JOIN moment AS till USING (instrument_id, interval)
    WHERE since.revision = gone.revision AND till.revision = come.revision AND {CHANGED};
    RETURN NULL;
END $$;
CREATE TRIGGER candle_version_kept AFTER UPDATE ON raw.candle
    REFERENCING OLD TABLE AS gone NEW TABLE AS come
    FOR EACH STATEMENT EXECUTE FUNCTION raw.keep_candle_version();
"""

# A plain function of one query: Postgres works it into the query that asks it, so that a condition
# on the series is looked up in the index.
AS_KNOWN = f"""
CREATE FUNCTION raw.candles_as_known(at timestamptz) RETURNS TABLE (
    instrument_id integer, "interval" text, opened_at timestamptz, closed_at timestamptz,
    session_on date, open float8, high float8, low float8, close float8, volume float8,
    revision integer, load_batch_id bigint, known_from timestamptz, known_until timestamptz
) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT c.instrument_id, c.interval, c.opened_at, c.closed_at, c.session_on,
           c.open, c.high, c.low, c.close, c.volume, c.revision, c.load_batch_id,
           r.created_at, NULL::timestamptz
    FROM raw.candle c
    JOIN ops.candle_revision r ON r.instrument_id = c.instrument_id
        AND r.interval = c.interval AND r.revision = c.revision
    WHERE r.created_at <= at
    UNION ALL
    SELECT {COLUMNS}, known_from, known_until
    FROM raw.candle_version WHERE known_from <= at AND at < known_until
$$;
COMMENT ON FUNCTION raw.candles_as_known IS 'the candles as the warehouse knew them at a moment';
"""

# Attaching beside a default partition locks that one; rows of the year that wait in it move over.
# The order of locks is that of an insert: first the interval's table, then the default.
YEARS = """
CREATE FUNCTION raw.ensure_candle_years(of_interval text, years integer[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    parent text := 'candle_' || of_interval;
    other text := parent || '_other';
    part text;
    starts timestamptz;
    ends timestamptz;
    year integer;
    made integer := 0;
BEGIN
    IF to_regclass(format('raw.%I', other)) IS NULL THEN
        RETURN 0;  -- days and longer are not divided
    END IF;
    FOREACH year IN ARRAY years LOOP
        part := parent || '_' || year;
        CONTINUE WHEN to_regclass(format('raw.%I', part)) IS NOT NULL;
        EXECUTE format('LOCK TABLE ONLY raw.%I IN SHARE UPDATE EXCLUSIVE MODE', parent);
        CONTINUE WHEN to_regclass(format('raw.%I', part)) IS NOT NULL;  -- somebody was faster
        EXECUTE format('LOCK TABLE raw.%I IN ACCESS EXCLUSIVE MODE', other);
        starts := make_timestamptz(year, 1, 1, 0, 0, 0, 'UTC');
        ends := make_timestamptz(year + 1, 1, 1, 0, 0, 0, 'UTC');
        EXECUTE format('CREATE TABLE raw.%I (LIKE raw.%I INCLUDING ALL)', part, parent);
        EXECUTE format('WITH waiting AS (DELETE FROM raw.%I WHERE opened_at >= $1'
            ' AND opened_at < $2 RETURNING *) INSERT INTO raw.%I SELECT * FROM waiting',
            other, part) USING starts, ends;
        EXECUTE format('ALTER TABLE raw.%I ATTACH PARTITION raw.%I FOR VALUES FROM (%L) TO (%L)',
            parent, part, starts, ends);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION raw.ensure_candle_years IS 'make the partitions of some years';
"""


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    run(VERSION)
    run(KEEP)
    run(AS_KNOWN)
    run(YEARS.replace("%", "%%"))  # the driver takes a single one for a parameter
    for interval in INTRADAY:
        _set_aside(run, interval)
        run(
            f"CREATE TABLE raw.candle_{interval} PARTITION OF raw.candle"
            f" FOR VALUES IN ('{interval}') PARTITION BY RANGE (opened_at);"
            f" CREATE TABLE raw.candle_{interval}_other"
            f" PARTITION OF raw.candle_{interval} DEFAULT"
        )
        run(
            f"SELECT raw.ensure_candle_years('{interval}', array_agg(year ORDER BY year)) FROM"
            " (SELECT DISTINCT extract(year FROM opened_at AT TIME ZONE 'UTC')::integer AS year"
            f" FROM raw.candle_{interval}_before) AS found HAVING count(*) > 0"
        )
        _bring_back(run, interval)


def downgrade() -> None:
    """Put each interval into one table again. The versions that were superseded are lost."""
    run = op.get_bind().exec_driver_sql
    for interval in INTRADAY:
        _set_aside(run, interval)
        run(
            f"CREATE TABLE raw.candle_{interval} PARTITION OF raw.candle"
            f" FOR VALUES IN ('{interval}')"
        )
        _bring_back(run, interval)
    run("DROP FUNCTION raw.ensure_candle_years; DROP FUNCTION raw.candles_as_known")
    run("DROP TRIGGER candle_version_kept ON raw.candle; DROP FUNCTION raw.keep_candle_version")
    run("DROP FUNCTION raw.refuse_unrevised")
    run("DROP TABLE raw.candle_version")


def _set_aside(run: Callable[[str], Any], interval: str) -> None:
    before = f"candle_{interval}_before"
    run(
        f"ALTER TABLE raw.candle DETACH PARTITION raw.candle_{interval};"
        f" ALTER TABLE raw.candle_{interval} RENAME TO {before};"
        f" ALTER TABLE raw.{before} RENAME CONSTRAINT candle_{interval}_pkey TO {before}_pkey"
    )


def _bring_back(run: Callable[[str], Any], interval: str) -> None:
    # into the interval's own table: the rows are told apart there, and no trigger asks them again
    run(
        f"INSERT INTO raw.candle_{interval} ({COLUMNS}) SELECT {COLUMNS}"
        f" FROM raw.candle_{interval}_before;"
        f" DROP TABLE raw.candle_{interval}_before"
    )

"""Seals that come with the results: one pass over columns instead of a trigger for each result.

Whoever stores results computes what is each result's own, the database what several share. A result
that comes without a seal is sealed by the database, as before, in ops.result_seal.
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"

CHANGES = r"""
ALTER TABLE ops.result ADD COLUMN seal bytea,
    ADD CONSTRAINT result_seal_check CHECK (octet_length(seal) = 32);

DROP TRIGGER seal_results ON ops.result;
DROP FUNCTION ops.seal_results();
CREATE FUNCTION ops.seal_result() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET extra_float_digits = 1 SET bytea_output = 'hex'
AS $$ BEGIN
    INSERT INTO ops.result_seal (result_key, seal) VALUES (NEW.result_key, ops.seal_of(NEW));
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION ops.seal_result() FROM PUBLIC;
CREATE TRIGGER seal_result AFTER INSERT ON ops.result
    FOR EACH ROW WHEN (NEW.seal IS NULL) EXECUTE FUNCTION ops.seal_result();

CREATE FUNCTION ops.shared_seal(
    status text, strategy_digest text, engine_version text, metrics_version text,
    candles_revision integer, revisions integer[], computed_at timestamp with time zone,
    candles integer, first_candle_at timestamp with time zone,
    last_candle_at timestamp with time zone, depends_from timestamp with time zone,
    warmup_missing integer, periods_per_year double precision, warnings text[],
    error_class text, error_sentence text, error_file text, error_line integer
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    -- as bytes: a text would be sent in the encoding of the client
    SELECT sha256(record_send(ROW(
        convert_to(status, 'UTF8'), convert_to(strategy_digest, 'UTF8'),
        convert_to(engine_version, 'UTF8'), convert_to(metrics_version, 'UTF8'),
        candles_revision, revisions, computed_at, candles, first_candle_at, last_candle_at,
        depends_from, warmup_missing, periods_per_year,
        convert_to(array_to_string(warnings, E'\n'), 'UTF8'),
        convert_to(error_class, 'UTF8'), convert_to(error_sentence, 'UTF8'),
        convert_to(error_file, 'UTF8'), error_line)))
$$;
COMMENT ON FUNCTION ops.shared_seal IS 'the SHA-256 of what several results may share';

DROP FUNCTION ops.broken_seals();
CREATE FUNCTION ops.broken_seals(keys text[] DEFAULT NULL)
RETURNS TABLE (result_key text, is_sealed boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET extra_float_digits = 1 SET bytea_output = 'hex'
AS $$
DECLARE
    metrics text;
BEGIN
    -- A metric that is null adds nothing, so that a later column breaks no seal.
    SELECT string_agg(
        format('coalesce(%L::bytea || %s(stored.%I), '''')',
               convert_to(attname || ':', 'UTF8')::text,
               CASE atttypid WHEN 'int4'::regtype THEN 'int4send' ELSE 'float8send' END, attname),
        ' || ' ORDER BY attname COLLATE "C")
    INTO STRICT metrics FROM pg_attribute
    WHERE attrelid = 'ops.result'::regclass AND attnum > 0 AND NOT attisdropped
      AND atttypid IN ('int4'::regtype, 'float8'::regtype)
      AND attname NOT IN ('candles_revision', 'candles', 'warmup_missing', 'periods_per_year',
                          'error_line');
    RETURN QUERY EXECUTE format($query$
        SELECT stored.result_key::text, stored.seal IS NOT NULL OR kept.seal IS NOT NULL
        FROM ops.result stored
        LEFT JOIN ops.result_seal kept ON kept.result_key = stored.result_key
        WHERE ($1 IS NULL OR stored.result_key = ANY ($1)) AND CASE
            WHEN stored.seal IS NULL THEN kept.seal IS DISTINCT FROM ops.seal_of(stored)
            ELSE stored.seal <> sha256(
                sha256(decode(stored.run_key, 'hex') || decode(stored.result_key, 'hex') || %s
                       || coalesce('blocks:'::bytea || stored.blocks, ''))
                || ops.shared_seal(
                    stored.status, stored.strategy_digest, stored.engine_version,
                    stored.metrics_version, stored.candles_revision, stored.revisions,
                    stored.computed_at, stored.candles, stored.first_candle_at,
                    stored.last_candle_at, stored.depends_from, stored.warmup_missing,
                    stored.periods_per_year, stored.warnings, stored.error_class,
                    stored.error_sentence, stored.error_file, stored.error_line))
            END
        $query$, metrics) USING keys;
END $$
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CHANGES.replace("%", "%%"))  # the driver halves them

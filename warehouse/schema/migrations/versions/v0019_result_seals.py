"""A seal on each stored result, by which a later change of its numbers is noticed.

The seal is the SHA-256 of the row as text. Columns that are added later are null in older rows, and
stand at the end of the text, where they are cut off: they break no seal.
"""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"

CHANGES = """
CREATE TABLE ops.result_seal (
    result_key text COLLATE "C" NOT NULL,
    seal bytea NOT NULL,
    CONSTRAINT result_seal_pkey PRIMARY KEY (result_key),
    CONSTRAINT result_seal_result_key_fkey FOREIGN KEY (result_key)
        REFERENCES ops.result (result_key) ON DELETE CASCADE,
    CONSTRAINT result_seal_seal_check CHECK (octet_length(seal) = 32)
);
COMMENT ON TABLE ops.result_seal IS 'the SHA-256 of a result as it was stored. Grain: result_key';

CREATE FUNCTION ops.seal_of(stored ops.result) RETURNS bytea LANGUAGE sql STABLE
AS $$ SELECT sha256(convert_to(rtrim(stored::text, ',)'), 'UTF8')) $$;

CREATE FUNCTION ops.seal_results() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET extra_float_digits = 1 SET bytea_output = 'hex'
AS $$ BEGIN
    INSERT INTO ops.result_seal (result_key, seal)
    SELECT added.result_key, ops.seal_of(added) FROM added;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION ops.seal_results() FROM PUBLIC;

CREATE TRIGGER seal_results AFTER INSERT ON ops.result
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.seal_results();

CREATE FUNCTION ops.broken_seals() RETURNS TABLE (result_key text, is_sealed boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET extra_float_digits = 1 SET bytea_output = 'hex'
AS $$ BEGIN
    RETURN QUERY
    SELECT stored.result_key::text, kept.seal IS NOT NULL
    FROM ops.result stored LEFT JOIN ops.result_seal kept ON kept.result_key = stored.result_key
    WHERE kept.seal IS DISTINCT FROM ops.seal_of(stored);
END $$;

SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
INSERT INTO ops.result_seal (result_key, seal)
SELECT stored.result_key, ops.seal_of(stored) FROM ops.result stored
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CHANGES)

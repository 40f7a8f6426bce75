"""What pages read of many rows at once: long equity curves in one piece, runs without success.

A curve of 500,000 candles is as many rows, which take seconds to read and milliseconds in one
piece. The rows stay what counts: whoever changes or deletes some takes the piece away with them.
"""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"

CHANGES = r"""
CREATE TABLE ops.equity_packed (
    result_key text COLLATE "C" NOT NULL,
    opened bytea NOT NULL,
    equity bytea NOT NULL,
    CONSTRAINT equity_packed_pkey PRIMARY KEY (result_key),
    CONSTRAINT equity_packed_result_key_fkey FOREIGN KEY (result_key)
        REFERENCES ops.result (result_key) ON DELETE CASCADE
);
ALTER TABLE ops.equity_packed ALTER COLUMN equity SET STORAGE EXTERNAL;
COMMENT ON TABLE ops.equity_packed IS
    'a long equity curve of ops.equity once more, in one piece, to be read fast. Grain: result_key';
COMMENT ON COLUMN ops.equity_packed.opened IS
    'zlib: the first opening in UTC milliseconds, then the differences, as little-endian int8';
COMMENT ON COLUMN ops.equity_packed.equity IS 'little-endian float8';

CREATE FUNCTION ops.unpack_equity() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
    DELETE FROM ops.equity_packed p
    WHERE p.result_key IN (SELECT DISTINCT c.result_key FROM changed c);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION ops.unpack_equity IS 'takes away the pieces of curves whose rows changed';
CREATE TRIGGER unpack_deleted AFTER DELETE ON ops.equity
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION ops.unpack_equity();
CREATE TRIGGER unpack_updated AFTER UPDATE ON ops.equity
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION ops.unpack_equity();

CREATE OR REPLACE FUNCTION ops.curve_bytes(keys text[]) RETURNS bigint LANGUAGE sql STABLE
AS $$
    SELECT coalesce((SELECT sum(pg_column_size(t.*)) FROM ops.trade t
                     WHERE t.result_key = ANY (keys)), 0)
         + coalesce((SELECT sum(pg_column_size(e.*)) FROM ops.equity e
                     WHERE e.result_key = ANY (keys)), 0)
         + coalesce((SELECT sum(octet_length(p.opened) + octet_length(p.equity))
                     FROM ops.equity_packed p WHERE p.result_key = ANY (keys)), 0)
$$;

CREATE INDEX result_not_succeeded_idx ON ops.result (result_key) INCLUDE (status)
    WHERE status <> 'succeeded';
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CHANGES)

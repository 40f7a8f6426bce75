"""Keep a result's block sums as the bytes that they travel in: half the size of an array."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

PACK = """
ALTER TABLE ops.result ADD COLUMN packed bytea;
UPDATE ops.result SET packed = (
    SELECT string_agg(float8send(value), '' ORDER BY place)
    FROM unnest(blocks) WITH ORDINALITY AS cell (value, place)
) WHERE blocks IS NOT NULL;
ALTER TABLE ops.result DROP COLUMN blocks;
ALTER TABLE ops.result RENAME COLUMN packed TO blocks;
ALTER TABLE ops.result
    ADD CONSTRAINT result_blocks_check CHECK (octet_length(blocks) = 384)
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(PACK)

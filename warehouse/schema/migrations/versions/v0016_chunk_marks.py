"""Which chunks of runs a worker is executing, for the workers of all machines."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"

CHANGES = """
CREATE TABLE ops.chunk_mark (
    chunk text COLLATE "C" NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT chunk_mark_pkey PRIMARY KEY (chunk)
);
COMMENT ON TABLE ops.chunk_mark
    IS 'a chunk of runs that a worker executes, or died over. Grain: chunk';
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CHANGES)

"""Candles of sessions' snapshots in parts, so that keeping a state does not cost more each day."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"

TABLES = r"""
CREATE TABLE ops.session_snapshot_part (
    session_id uuid NOT NULL,
    name text NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT session_snapshot_part_pkey PRIMARY KEY (session_id, name),
    CONSTRAINT session_snapshot_part_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES ops.session (session_id)
);
ALTER TABLE ops.session_snapshot_part ALTER COLUMN state SET STORAGE EXTERNAL;
COMMENT ON TABLE ops.session_snapshot_part IS
    'what snapshots of a session share: it never changes. Grain: session_id, name';
"""


def upgrade() -> None:
    """Create the table."""
    op.get_bind().exec_driver_sql(TABLES)


def downgrade() -> None:
    """Take it away, with snapshots that need it: the log has all that they had."""
    op.get_bind().exec_driver_sql(
        "DELETE FROM ops.session_snapshot; DROP TABLE ops.session_snapshot_part"
    )

"""How far prices went against each stored trade and for it."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"

# Columns that may be null and have no default: no row is written again.
ADDED = "ALTER TABLE ops.trade ADD COLUMN mae float8, ADD COLUMN mfe float8"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(ADDED)

"""Where in a strategy's code a run failed: the file and the line."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"

CHANGES = """
ALTER TABLE ops.result
    ADD COLUMN error_file text,
    ADD COLUMN error_line integer,
    ADD CONSTRAINT result_error_place_check CHECK ((error_file IS NULL) = (error_line IS NULL));
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CHANGES)

"""How many units one contract of an instrument stands for."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"

CHANGES = """
ALTER TABLE ops.instrument
    ADD COLUMN multiplier float8,
    ADD CONSTRAINT instrument_multiplier_check CHECK (multiplier > 0);
ALTER TABLE ops.instrument_version
    ADD COLUMN multiplier float8,
    ADD CONSTRAINT instrument_version_multiplier_check CHECK (multiplier > 0)
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CHANGES)

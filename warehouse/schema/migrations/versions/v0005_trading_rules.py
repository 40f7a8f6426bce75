"""A changed tick or lot is a revision of all candles of its instrument."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

REASONS = """
ALTER TABLE ops.candle_revision
    DROP CONSTRAINT candle_revision_reason_check,
    ADD CONSTRAINT candle_revision_reason_check
        CHECK (reason IN ('candles', 'corporate_action', 'trading_rules'))
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(REASONS)

"""A trade may end because its instrument has no further candle."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

REASONS = """
ALTER TABLE ops.trade
    DROP CONSTRAINT trade_exit_reason_check,
    ADD CONSTRAINT trade_exit_reason_check
        CHECK (exit_reason IN ('signal', 'stop_loss', 'take_profit', 'trailing_stop', 'time_stop',
                               'daily_loss', 'delisted'))
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(REASONS)

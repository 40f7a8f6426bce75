"""All metrics of metrics version 2, sums of returns by block, and what trades lost underway."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

FRACTIONS = (
    *("calmar", "omega", "max_drawdown_days", "avg_drawdown", "profit_factor", "expectancy"),
    *("sqn", "kelly", "avg_trade", "best_trade", "worst_trade", "slippage_paid", "alpha", "beta"),
    *("var_95", "cvar_95", "tail_ratio", "skew", "kurtosis", "turnover", "psr"),
)
COUNTS = ("filled_bars", "rejected_orders", "large_fills")

# Columns that may be null and have no default: no row is written again, however many there are.
RESULT = f"""
ALTER TABLE ops.result
    {"".join(f"ADD COLUMN {name} float8, " for name in FRACTIONS)}
    {"".join(f"ADD COLUMN {name} integer, " for name in COUNTS)}
    ADD COLUMN borrow_paid float8,
    ADD COLUMN blocks float8[],
    ADD CONSTRAINT result_blocks_check CHECK (array_dims(blocks) = '[1:3][1:16]')
"""
TRADE = """
ALTER TABLE ops.trade
    ADD COLUMN slippage float8,
    ADD COLUMN borrow float8,
    DROP CONSTRAINT trade_exit_reason_check,
    ADD CONSTRAINT trade_exit_reason_check
        CHECK (exit_reason IN ('signal', 'stop_loss', 'take_profit', 'trailing_stop', 'time_stop',
                               'daily_loss'))
"""


def upgrade() -> None:
    run = op.get_bind().exec_driver_sql
    run(RESULT)
    run(TRADE)

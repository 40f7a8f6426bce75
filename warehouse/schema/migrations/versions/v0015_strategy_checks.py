"""Whether a strategy looks ahead, for each version of its source."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"

CHANGES = """
CREATE TABLE ops.strategy_check (
    strategy_digest text COLLATE "C" NOT NULL,
    strategy text NOT NULL,
    lookahead text NOT NULL,
    coverage jsonb NOT NULL,
    checked_at timestamp with time zone NOT NULL,
    CONSTRAINT strategy_check_pkey PRIMARY KEY (strategy_digest),
    CONSTRAINT strategy_check_lookahead_check
        CHECK (lookahead IN ('found', 'not_verified', 'depends_on_history', 'clean'))
);
COMMENT ON TABLE ops.strategy_check
    IS 'whether a strategy looks ahead, as a check found. Grain: strategy_digest';
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CHANGES)

"""What a candle must be, its older versions must be too: `raw.candles_as_known` answers by them."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

INTERVALS = (
    *("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h"),
    *("1d", "3d", "1w", "1mo"),
)
LISTED = ", ".join(f"'{interval}'" for interval in INTERVALS)

LAWS = f"""
ALTER TABLE raw.candle_version
    ADD CONSTRAINT candle_version_interval_check CHECK (interval IN ({LISTED})),
    ADD CONSTRAINT candle_version_closes_check CHECK (closed_at > opened_at),
    ADD CONSTRAINT candle_version_prices_check
        CHECK (low > 0 AND low <= least(open, close) AND high >= greatest(open, close)
               AND high < 'Infinity'),
    ADD CONSTRAINT candle_version_volume_check CHECK (volume >= 0 AND volume < 'Infinity')
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(LAWS)

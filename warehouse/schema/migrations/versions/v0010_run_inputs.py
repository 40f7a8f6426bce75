"""The further candle series that a run's strategy reads: its validity rests on them too."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

INTERVALS = (
    *("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h"),
    *("1d", "3d", "1w", "1mo"),
)
LISTED = ", ".join(f"'{interval}'" for interval in INTERVALS)

CHANGES = f"""
CREATE TABLE ops.run_input (
    run_key text COLLATE "C" NOT NULL,
    place integer NOT NULL,
    instrument_id integer NOT NULL,
    interval text NOT NULL,
    CONSTRAINT run_input_pkey PRIMARY KEY (run_key, place),
    CONSTRAINT run_input_interval_check CHECK (interval IN ({LISTED})),
    CONSTRAINT run_input_place_check CHECK (place > 0),
    CONSTRAINT run_input_run_key_fkey FOREIGN KEY (run_key) REFERENCES ops.run (run_key),
    CONSTRAINT run_input_instrument_id_fkey FOREIGN KEY (instrument_id)
        REFERENCES ops.instrument (id)
);
COMMENT ON TABLE ops.run_input IS 'a further candle series that a run''s strategy reads';
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CHANGES)

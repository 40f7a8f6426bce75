"""Runs of one account for several instruments: which they are, and whose each trade is."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

CHANGES = """
CREATE TABLE ops.run_instrument (
    run_key text COLLATE "C" NOT NULL,
    place integer NOT NULL,
    instrument_id integer NOT NULL,
    CONSTRAINT run_instrument_pkey PRIMARY KEY (run_key, place),
    CONSTRAINT run_instrument_place_check CHECK (place > 0),
    CONSTRAINT run_instrument_run_key_fkey FOREIGN KEY (run_key) REFERENCES ops.run (run_key),
    CONSTRAINT run_instrument_instrument_id_fkey FOREIGN KEY (instrument_id)
        REFERENCES ops.instrument (id)
);
ALTER TABLE ops.result ADD COLUMN revisions integer[];
ALTER TABLE ops.trade ADD COLUMN instrument_id integer
    CONSTRAINT trade_instrument_id_fkey REFERENCES ops.instrument (id);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CHANGES)

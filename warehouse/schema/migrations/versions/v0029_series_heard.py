"""What was last heard of each series of a session, so that one that falls silent is noticed."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"

TABLES = r"""
CREATE TABLE ops.session_series (
    session_id uuid NOT NULL,
    instrument text NOT NULL,
    "interval" text NOT NULL,
    opened_at timestamp with time zone,
    absent_at timestamp with time zone,
    heard_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT session_series_pkey PRIMARY KEY (session_id, instrument, "interval"),
    CONSTRAINT session_series_session_id_fkey
        FOREIGN KEY (session_id) REFERENCES ops.session (session_id)
);
COMMENT ON TABLE ops.session_series IS
    'what a session last heard of a series. Grain: session_id, instrument, interval';
COMMENT ON COLUMN ops.session_series.opened_at IS
    'the opening of the newest candle that came; null for none';
COMMENT ON COLUMN ops.session_series.absent_at IS
    'the newest opening of which its market has no candle; null for none';
COMMENT ON COLUMN ops.session_series.heard_at IS 'when the newest candle was stored';
INSERT INTO ops.session_series (session_id, instrument, "interval", opened_at, heard_at)
SELECT e.session_id, substring(e.document from '"instrument":"([^"]*)"'),
       substring(e.document from '"interval":"([^"]*)"'),
       to_timestamp(max(substring(e.document from '"opened_ms":([0-9]+)')::float8) / 1000),
       max(e.at)  -- a price may be NaN, which jsonb does not read
FROM ops.session_event e JOIN ops.session s USING (session_id)
WHERE e.kind = 'CandleClosed' AND s.state NOT IN ('stopped', 'failed')
GROUP BY 1, 2, 3;
"""


def upgrade() -> None:
    """Create the table, with what the logs of sessions under way say."""
    op.get_bind().exec_driver_sql(TABLES)


def downgrade() -> None:
    """Take it away: the log has all that it says."""
    op.get_bind().exec_driver_sql("DROP TABLE ops.session_series")

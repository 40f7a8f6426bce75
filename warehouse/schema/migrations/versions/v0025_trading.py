"""Sessions of paper and live trading: their log, and what is derived from it.

The log is the truth. Orders, fills, positions, trades, equity and verdicts are written in the
transaction of the events that they follow from, and are there to be asked; who reads the log again
finds the same. Nobody changes an event: a trigger refuses it, whoever asks.
"""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"

TABLES = r"""
CREATE TABLE ops.session (
    session_id uuid NOT NULL,
    name text NOT NULL,
    user_id integer NOT NULL,
    is_private boolean DEFAULT false NOT NULL,
    document text NOT NULL,
    instruments text[] NOT NULL,
    interval text NOT NULL,
    mode text NOT NULL,
    strategy text NOT NULL,
    broker text NOT NULL,
    feed text NOT NULL,
    money text NOT NULL,
    cash double precision NOT NULL,
    state text DEFAULT 'starting' NOT NULL,
    why text,
    risk_state text DEFAULT 'active' NOT NULL,
    risk_why text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    stopped_at timestamp with time zone,
    CONSTRAINT session_pkey PRIMARY KEY (session_id),
    CONSTRAINT session_user_id_fkey FOREIGN KEY (user_id) REFERENCES ops.user (id),
    CONSTRAINT session_name_check CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT session_mode_check CHECK (mode IN ('each', 'together')),
    CONSTRAINT session_money_check CHECK (money IN ('paper', 'live')),
    CONSTRAINT session_state_check CHECK (state IN (
        'starting', 'running', 'paused', 'stopping', 'stopped', 'failed')),
    CONSTRAINT session_risk_state_check CHECK (risk_state IN ('active', 'reducing', 'halted')),
    CONSTRAINT session_ended_check
        CHECK ((state IN ('stopped', 'failed')) = (stopped_at IS NOT NULL)),
    CONSTRAINT session_failed_check CHECK (state <> 'failed' OR why IS NOT NULL)
);
CREATE INDEX session_created_at_idx ON ops.session (created_at, session_id);
CREATE INDEX session_under_way_idx ON ops.session (session_id)
    WHERE state NOT IN ('stopped', 'failed');
COMMENT ON TABLE ops.session IS 'a strategy that trades, on paper or with money. Grain: session_id';

CREATE TABLE ops.session_event (
    session_id uuid NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    is_input boolean NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    document text NOT NULL,
    CONSTRAINT session_event_pkey PRIMARY KEY (session_id, seq),
    CONSTRAINT session_event_session_id_fkey FOREIGN KEY (session_id)
        REFERENCES ops.session (session_id),
    CONSTRAINT session_event_seq_check CHECK (seq > 0)
);
COMMENT ON TABLE ops.session_event IS
    'the log of a session, which is only ever added to. Grain: session_id, seq (from 1)';
COMMENT ON COLUMN ops.session_event.is_input IS
    'what the world said; what the engine decided on it follows with the next numbers';

CREATE FUNCTION ops.refuse_session_event_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
    RAISE EXCEPTION 'the log of a session is only ever added to'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON ops.session_event
    FOR EACH ROW EXECUTE FUNCTION ops.refuse_session_event_change();

CREATE TABLE ops.session_snapshot (
    session_id uuid NOT NULL,
    seq bigint NOT NULL,
    state bytea NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT session_snapshot_pkey PRIMARY KEY (session_id, seq),
    CONSTRAINT session_snapshot_session_id_fkey FOREIGN KEY (session_id)
        REFERENCES ops.session (session_id),
    CONSTRAINT session_snapshot_seq_check CHECK (seq >= 0)
);
ALTER TABLE ops.session_snapshot ALTER COLUMN state SET STORAGE EXTERNAL;
COMMENT ON TABLE ops.session_snapshot IS
    'an engine''s state after an event, from which a restart goes on. Grain: session_id, seq';

CREATE TABLE ops.session_order (
    session_id uuid NOT NULL,
    client_order_id text COLLATE "C" NOT NULL,
    broker_order_id text,
    instrument text NOT NULL,
    side text NOT NULL,
    leg text NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    level double precision,
    units double precision,
    filled_units double precision DEFAULT 0 NOT NULL,
    average_price double precision,
    fees double precision DEFAULT 0 NOT NULL,
    candle_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    why text,
    intended_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT session_order_pkey PRIMARY KEY (session_id, client_order_id),
    CONSTRAINT session_order_session_id_fkey FOREIGN KEY (session_id)
        REFERENCES ops.session (session_id),
    CONSTRAINT session_order_side_check CHECK (side IN ('buy', 'sell')),
    CONSTRAINT session_order_state_check CHECK (state IN (
        'intended', 'submitted', 'accepted', 'partly_filled', 'filled', 'cancelled', 'rejected',
        'expired', 'unknown'))
);
CREATE INDEX session_order_intended_at_idx
    ON ops.session_order (session_id, intended_at, client_order_id);
CREATE INDEX session_order_open_idx ON ops.session_order (session_id)
    WHERE state NOT IN ('filled', 'cancelled', 'rejected', 'expired');
COMMENT ON TABLE ops.session_order IS 'an order of a session. Grain: session_id, client_order_id';
COMMENT ON COLUMN ops.session_order.candle_at IS 'the opening of the candle that decided';
COMMENT ON COLUMN ops.session_order.units IS 'null for an entry that is sized when it fills';
COMMENT ON COLUMN ops.session_order.seq IS 'the event that changed it last';

CREATE TABLE ops.session_fill (
    session_id uuid NOT NULL,
    fill_id text COLLATE "C" NOT NULL,
    client_order_id text COLLATE "C" NOT NULL,
    instrument text NOT NULL,
    side text NOT NULL,
    units double precision NOT NULL,
    price double precision NOT NULL,
    fee double precision NOT NULL,
    filled_at timestamp with time zone NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT session_fill_pkey PRIMARY KEY (session_id, fill_id),
    CONSTRAINT session_fill_session_id_fkey FOREIGN KEY (session_id)
        REFERENCES ops.session (session_id),
    CONSTRAINT session_fill_side_check CHECK (side IN ('buy', 'sell'))
);
CREATE INDEX session_fill_seq_idx ON ops.session_fill (session_id, seq);
COMMENT ON TABLE ops.session_fill IS
    'an execution of an order of a session, or a part of one. Grain: session_id, fill_id';

CREATE TABLE ops.session_position (
    session_id uuid NOT NULL,
    instrument text NOT NULL,
    units double precision NOT NULL,
    average_price double precision,
    price double precision,
    value double precision,
    entered_at timestamp with time zone,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT session_position_pkey PRIMARY KEY (session_id, instrument),
    CONSTRAINT session_position_session_id_fkey FOREIGN KEY (session_id)
        REFERENCES ops.session (session_id)
);
COMMENT ON TABLE ops.session_position IS
    'what a session holds now: units below 0 are short. Grain: session_id, instrument';

CREATE TABLE ops.session_trade (
    session_id uuid NOT NULL,
    seq bigint NOT NULL,
    instrument text NOT NULL,
    entry_at timestamp with time zone NOT NULL,
    exit_at timestamp with time zone NOT NULL,
    size double precision NOT NULL,
    entry_price double precision NOT NULL,
    exit_price double precision NOT NULL,
    fees double precision NOT NULL,
    profit double precision NOT NULL,
    exit_reason text NOT NULL,
    slippage double precision,
    borrow double precision,
    mae double precision,
    mfe double precision,
    CONSTRAINT session_trade_pkey PRIMARY KEY (session_id, seq),
    CONSTRAINT session_trade_session_id_fkey FOREIGN KEY (session_id)
        REFERENCES ops.session (session_id)
);
COMMENT ON TABLE ops.session_trade IS
    'a round trip of a session, with the columns of ops.trade. Grain: session_id, seq of its event';

CREATE TABLE ops.session_equity (
    session_id uuid NOT NULL,
    account integer NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone NOT NULL,
    equity double precision NOT NULL,
    cash double precision NOT NULL,
    CONSTRAINT session_equity_pkey PRIMARY KEY (session_id, account, opened_at),
    CONSTRAINT session_equity_session_id_fkey FOREIGN KEY (session_id)
        REFERENCES ops.session (session_id)
);
COMMENT ON TABLE ops.session_equity IS
    'a value of an account''s equity curve at the close of a candle. '
    'Grain: session_id, account, opened_at';
COMMENT ON COLUMN ops.session_equity.account IS
    'its place among the instruments, where each has an account of its own; else 0';

CREATE TABLE ops.session_verdict (
    session_id uuid NOT NULL,
    seq bigint NOT NULL,
    instrument text NOT NULL,
    candle_at timestamp with time zone NOT NULL,
    is_allowed boolean NOT NULL,
    code text NOT NULL,
    saw text NOT NULL,
    units double precision,
    granted_units double precision,
    took_us double precision,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT session_verdict_pkey PRIMARY KEY (session_id, seq),
    CONSTRAINT session_verdict_session_id_fkey FOREIGN KEY (session_id)
        REFERENCES ops.session (session_id)
);
CREATE INDEX session_verdict_refused_idx ON ops.session_verdict (session_id, seq)
    WHERE NOT is_allowed;
COMMENT ON TABLE ops.session_verdict IS
    'what the gate of risk said of an order, and what it saw (JSON). Grain: session_id, seq';

CREATE TABLE ops.session_command (
    command_id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    session_id uuid NOT NULL,
    kind text NOT NULL,
    user_id integer NOT NULL,
    why text,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    answered_at timestamp with time zone,
    outcome text,
    answer text,
    CONSTRAINT session_command_pkey PRIMARY KEY (command_id),
    CONSTRAINT session_command_session_id_fkey FOREIGN KEY (session_id)
        REFERENCES ops.session (session_id),
    CONSTRAINT session_command_user_id_fkey FOREIGN KEY (user_id) REFERENCES ops.user (id),
    CONSTRAINT session_command_kind_check CHECK (kind IN (
        'pause', 'resume', 'stop', 'kill', 'flatten', 'release')),
    CONSTRAINT session_command_outcome_check CHECK (outcome IN ('done', 'refused')),
    CONSTRAINT session_command_answer_check CHECK (
        (outcome IS NULL) = (answered_at IS NULL) AND (outcome IS NULL) = (answer IS NULL))
);
CREATE INDEX session_command_session_id_idx ON ops.session_command (session_id, command_id);
CREATE INDEX session_command_waiting_idx ON ops.session_command (command_id)
    WHERE answered_at IS NULL;
COMMENT ON TABLE ops.session_command IS
    'what somebody asked of a session, and what became of it. Grain: command_id';

CREATE TABLE ops.kill_latch (
    latch_id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL,
    session_id uuid,
    is_flattening boolean NOT NULL,
    user_id integer NOT NULL,
    why text,
    set_at timestamp with time zone DEFAULT now() NOT NULL,
    report text,
    released_at timestamp with time zone,
    released_by integer,
    CONSTRAINT kill_latch_pkey PRIMARY KEY (latch_id),
    CONSTRAINT kill_latch_session_id_fkey FOREIGN KEY (session_id)
        REFERENCES ops.session (session_id),
    CONSTRAINT kill_latch_user_id_fkey FOREIGN KEY (user_id) REFERENCES ops.user (id),
    CONSTRAINT kill_latch_released_by_fkey FOREIGN KEY (released_by) REFERENCES ops.user (id),
    CONSTRAINT kill_latch_released_check CHECK ((released_at IS NULL) = (released_by IS NULL))
);
CREATE INDEX kill_latch_set_idx ON ops.kill_latch (session_id) WHERE released_at IS NULL;
COMMENT ON TABLE ops.kill_latch IS
    'the kill switch: no order leaves while it is set, until a person releases it. Grain: latch_id';
COMMENT ON COLUMN ops.kill_latch.session_id IS 'null: all sessions, also those started later';
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(TABLES)

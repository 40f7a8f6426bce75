with lines as (
    select
        lines.session_id,
        lines.on_day,
        lines.candles,
        count(*) filter (where lines.kind = 'price') as price_lines,
        count(*) filter (where lines.kind = 'size') as size_lines,
        count(*) filter (where lines.kind = 'fee') as fee_lines,
        count(*) filter (where lines.kind = 'timing') as timing_lines,
        count(*) filter (where lines.cause = 'risk') as risk_causes,
        count(*) filter (where lines.cause = 'late_data') as late_data_causes,
        count(*) filter (where lines.cause = 'missing_data') as missing_data_causes,
        count(*) filter (where lines.cause = 'restated_candle') as restated_candle_causes,
        count(*) filter (where lines.cause = 'not_stored') as not_stored_causes,
        count(*) filter (where lines.cause = 'partial_fill') as partial_fill_causes,
        count(*) filter (where lines.cause = 'rejected') as rejected_causes,
        count(*) filter (where lines.cause = 'not_filled') as not_filled_causes,
        count(*) filter (where lines.cause = 'halted') as halted_causes,
        count(*) filter (where lines.cause = 'broker') as broker_causes,
        count(*) filter (where lines.cause = 'follows') as follows_causes,
        count(*) filter (where lines.cause = 'unknown') as unknown_causes
    from {{ ref('stg_ops__session_drift_lines') }} as lines
    group by lines.session_id, lines.on_day, lines.candles
)

select
    drift.session_id as session_key,
    {{ date_key(midnight_utc('drift.on_day')) }} as date_key,
    drift.candles,
    sessions.user_key,
    sessions.interval_key,
    drift.start_at,
    drift.end_at,
    drift.made_at,
    drift.state,
    drift.why,
    drift.trades,
    drift.trades_backtest,
    drift.missed,
    drift.extra,
    drift.differing,
    coalesce(lines.price_lines, 0) as price_lines,
    coalesce(lines.size_lines, 0) as size_lines,
    coalesce(lines.fee_lines, 0) as fee_lines,
    coalesce(lines.timing_lines, 0) as timing_lines,
    coalesce(lines.risk_causes, 0) as risk_causes,
    coalesce(lines.late_data_causes, 0) as late_data_causes,
    coalesce(lines.missing_data_causes, 0) as missing_data_causes,
    coalesce(lines.restated_candle_causes, 0) as restated_candle_causes,
    coalesce(lines.not_stored_causes, 0) as not_stored_causes,
    coalesce(lines.partial_fill_causes, 0) as partial_fill_causes,
    coalesce(lines.rejected_causes, 0) as rejected_causes,
    coalesce(lines.not_filled_causes, 0) as not_filled_causes,
    coalesce(lines.halted_causes, 0) as halted_causes,
    coalesce(lines.broker_causes, 0) as broker_causes,
    coalesce(lines.follows_causes, 0) as follows_causes,
    coalesce(lines.unknown_causes, 0) as unknown_causes,
    drift.profit,
    drift.profit_backtest,
    drift.equity,
    drift.equity_backtest,
    drift.drift,
    drift.bound
from {{ ref('stg_ops__session_drift') }} as drift
inner join {{ ref('dim_session') }} as sessions
    on sessions.session_key = drift.session_id
left join lines
    on lines.session_id = drift.session_id
    and lines.on_day = drift.on_day
    and lines.candles = drift.candles

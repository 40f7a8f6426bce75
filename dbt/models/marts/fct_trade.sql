{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    pre_hook='{{ leave_out_pruned_curves() }}',
    indexes=[{'columns': ['instrument_key', 'strategy_key']}],
) }}

-- A result's trades are stored once and together.
with curves as (
    select curves.*
    from {{ ref('int_curves') }} as curves
    {% if is_incremental() %}
    where not exists (
        select from {{ this }} as here where here.result_key = curves.result_key
    )
    {% endif %}
)

select
    trades.result_key,
    trades.seq,
    curves.strategy_key,
    versions.instrument_key,
    curves.interval_key,
    {{ date_key('trades.entry_at') }} as entry_date_key,
    {{ time_key('trades.entry_at') }} as entry_time_key,
    {{ date_key('trades.exit_at') }} as exit_date_key,
    {{ time_key('trades.exit_at') }} as exit_time_key,
    trades.entry_at,
    trades.exit_at,
    case when trades.size < 0 then 'short' else 'long' end as direction,
    trades.exit_reason,
    trades.size,
    trades.entry_price,
    trades.exit_price,
    abs(trades.size) * coalesce(versions.multiplier, 1) * trades.entry_price as entry_notional,
    trades.profit
    + trades.fees
    + coalesce(trades.slippage, 0)
    + coalesce(trades.borrow, 0) as gross_profit,
    trades.fees,
    trades.slippage,
    trades.borrow,
    trades.profit,
    trades.profit
    / nullif(abs(trades.size) * coalesce(versions.multiplier, 1) * trades.entry_price, 0) as trade_return,
    extract(epoch from trades.exit_at - trades.entry_at)::bigint as duration_s,
    trades.mae,
    trades.mfe
from curves
inner join {{ ref('stg_ops__trades') }} as trades
    on trades.result_key = curves.result_key
inner join {{ ref('stg_ops__instruments') }} as instruments
    on instruments.instrument_id = coalesce(trades.instrument_id, curves.instrument_id)
inner join {{ ref('dim_instrument') }} as versions
    on versions.instrument_durable_key = instruments.instrument_durable_key
    and trades.entry_at >= versions.valid_from
    and trades.entry_at < versions.valid_to

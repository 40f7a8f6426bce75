{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook='{{ leave_out_pruned_curves() }}',
    indexes=[{'columns': ['date_key']}],
) }}

-- A result's curve is stored once and as a whole.
with curves as (
    select curves.*
    from {{ ref('int_curves') }} as curves
    {% if is_incremental() %}
    where not exists (
        select from {{ this }} as here where here.result_key = curves.result_key
    )
    {% endif %}
),

candles as (
    select
        curves.result_key,
        curves.strategy_key,
        curves.instrument_id,
        curves.interval_key,
        curves.cash,
        equity.opened_at,
        equity.equity,
        (equity.opened_at at time zone 'UTC')::date as day_on,
        greatest(curves.cash, max(equity.equity) over curve) as peak
    from curves
    inner join {{ ref('stg_ops__equity') }} as equity
        on equity.result_key = curves.result_key
    window curve as (partition by equity.result_key order by equity.opened_at)
),

marked as (
    select
        *,
        equity / peak - 1 as drawdown,
        lead(day_on) over (partition by result_key order by opened_at)
        is distinct from day_on as is_last
    from candles
),

days as (
    select
        result_key,
        strategy_key,
        instrument_id,
        interval_key,
        cash,
        day_on,
        max(opened_at) as last_opened_at,
        max(equity) filter (where is_last) as equity,
        max(drawdown) filter (where is_last) as drawdown,
        min(drawdown) as lowest_drawdown,
        count(*) as candles
    from marked
    group by result_key, strategy_key, instrument_id, interval_key, cash, day_on
)

select
    days.result_key,
    {{ date_key(midnight_utc('days.day_on')) }} as date_key,
    days.strategy_key,
    versions.instrument_key,
    days.interval_key,
    days.equity,
    days.equity / nullif(
        lag(days.equity, 1, days.cash) over (partition by days.result_key order by days.day_on), 0
    ) - 1 as daily_return,
    days.drawdown,
    days.lowest_drawdown,
    days.candles
from days
inner join {{ ref('stg_ops__instruments') }} as instruments
    on instruments.instrument_id = days.instrument_id
inner join {{ ref('dim_instrument') }} as versions
    on versions.instrument_durable_key = instruments.instrument_durable_key
    and days.last_opened_at >= versions.valid_from
    and days.last_opened_at < versions.valid_to

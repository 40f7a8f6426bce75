{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    indexes=[{'columns': ['instrument_key', 'strategy_key']}],
) }}

-- What stays of a pruned result never changes.
select
    pruned.result_key,
    pruned.run_key,
    strategies.strategy_key,
    versions.instrument_key,
    pruned.interval as interval_key,
    {{ date_key('pruned.computed_at') }} as computed_date_key,
    pruned.status,
    pruned.start_at,
    pruned.end_at,
    pruned.computed_at,
    pruned.pruned_at,
    pruned.sharpe,
    pruned.total_return,
    pruned.buy_hold_return
from {{ ref('stg_ops__pruned_results') }} as pruned
inner join {{ ref('dim_strategy') }} as strategies
    on strategies.strategy_key = {{ strategy_key('pruned.strategy', 'pruned.strategy_digest') }}
inner join {{ ref('stg_ops__instruments') }} as instruments
    on instruments.instrument_id = pruned.instrument_id
inner join {{ ref('dim_instrument') }} as versions
    on versions.instrument_durable_key = instruments.instrument_durable_key
    and pruned.computed_at >= versions.valid_from
    and pruned.computed_at < versions.valid_to
{% if is_incremental() %}
where not exists (select from {{ this }} as here where here.result_key = pruned.result_key)
{% endif %}

-- Results that are stored with their trades and their equity, and whose dimensions are known.
select
    results.result_key,
    strategies.strategy_key,
    runs.instrument_id,
    runs.interval as interval_key,
    runs.cash
from {{ ref('stg_ops__results') }} as results
inner join {{ ref('stg_ops__runs') }} as runs
    on runs.run_key = results.run_key
inner join {{ ref('dim_strategy') }} as strategies
    on strategies.strategy_key = {{ strategy_key('runs.strategy', 'results.strategy_digest') }}
where exists (
    select from {{ ref('stg_ops__equity') }} as equity
    where equity.result_key = results.result_key
)

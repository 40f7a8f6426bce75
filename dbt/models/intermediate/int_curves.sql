-- Results stored with trades and equity whose dimensions are known.
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
where
    exists (
        select from {{ ref('stg_ops__equity') }} as equity
        where equity.result_key = results.result_key
    )
    -- a result's trades are loaded together, so all of its instruments must be known
    and not exists (
        select from {{ ref('stg_ops__run_instruments') }} as further
        inner join {{ ref('stg_ops__instruments') }} as instruments
            on instruments.instrument_id = further.instrument_id
        where
            further.run_key = results.run_key
            and instruments.instrument_durable_key
            not in (select instrument_durable_key from {{ ref('dim_instrument') }})
    )

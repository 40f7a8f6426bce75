with answered as (
    select
        runs.strategy,
        results.strategy_digest,
        min(results.computed_at) as first_used_at,
        max(results.computed_at) as last_used_at
    from {{ ref('stg_ops__results') }} as results
    inner join {{ ref('stg_ops__runs') }} as runs
        on runs.run_key = results.run_key
    group by runs.strategy, results.strategy_digest
)

select
    {{ strategy_key('strategy', 'strategy_digest') }} as strategy_key,
    strategy,
    strategy_digest,
    first_used_at,
    last_used_at,
    row_number() over (
        partition by strategy order by last_used_at desc, strategy_digest
    ) = 1 as is_latest
from answered

with computed as (
    select
        runs.strategy,
        results.strategy_digest,
        results.computed_at
    from {{ ref('stg_ops__results') }} as results
    inner join {{ ref('stg_ops__runs') }} as runs
        on runs.run_key = results.run_key

    union all

    select
        pruned.strategy,
        pruned.strategy_digest,
        pruned.computed_at
    from {{ ref('stg_ops__pruned_results') }} as pruned
),

answered as (
    select
        computed.strategy,
        computed.strategy_digest,
        min(computed.computed_at) as first_used_at,
        max(computed.computed_at) as last_used_at
    from computed
    group by computed.strategy, computed.strategy_digest
)

select
    {{ strategy_key('answered.strategy', 'answered.strategy_digest') }} as strategy_key,
    answered.strategy,
    answered.strategy_digest,
    answered.first_used_at,
    answered.last_used_at,
    row_number() over (
        partition by answered.strategy
        order by answered.last_used_at desc, answered.strategy_digest
    ) = 1 as is_latest,
    coalesce(checks.lookahead, 'not_verified') as lookahead
from answered
left join {{ ref('stg_ops__strategy_checks') }} as checks
    on checks.strategy_digest = answered.strategy_digest

select
    encode(pruned.result_key, 'hex') as result_key,
    encode(pruned.run_key, 'hex') as run_key,
    family.instrument_id,
    family.strategy,
    family.strategy_digest,
    family.interval,
    family.start_at,
    family.end_at,
    pruned.status,
    pruned.computed_at,
    pruned.sharpe,
    pruned.total_return,
    pruned.buy_hold_return,
    pass.started_at as pruned_at
from {{ source('ops', 'pruned_result') }} as pruned
inner join {{ source('ops', 'pruned_family') }} as family
    on family.id = pruned.family_id
inner join {{ source('ops', 'prune') }} as pass
    on pass.id = pruned.prune_id

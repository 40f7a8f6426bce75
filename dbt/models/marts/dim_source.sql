select
    source_key,
    source,
    origin,
    min(started_at) as first_loaded_at,
    max(started_at) as last_loaded_at,
    count(*) as loads,
    count(*) filter (where status = 'failed') as failed_loads
from {{ ref('stg_ops__load_batches') }}
group by source_key, source, origin

union all

select {{ nobody() }}, 'unknown', 'unknown', null, null, 0, 0

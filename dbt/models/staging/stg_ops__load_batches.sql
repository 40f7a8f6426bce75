select
    batch.id as load_batch_id,
    batch.instrument_id,
    batch.interval,
    {{ source_key('batch.source', 'batch.origin') }} as source_key,
    batch.source,
    coalesce(batch.origin, 'unknown') as origin,
    batch.span_start,
    batch.span_end,
    batch.code_version,
    batch.started_at,
    batch.finished_at,
    batch.status,
    batch.inserted,
    batch.updated,
    batch.unchanged,
    batch.rejected
from {{ source('ops', 'load_batch') }} as batch

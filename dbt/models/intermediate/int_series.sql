select
    revisions.instrument_id,
    revisions.interval,
    instruments.instrument_durable_key,
    instruments.kind,
    max(revisions.revision) as newest_revision
from {{ ref('stg_ops__candle_revisions') }} as revisions
inner join {{ ref('stg_ops__instruments') }} as instruments
    on instruments.instrument_id = revisions.instrument_id
group by
    revisions.instrument_id,
    revisions.interval,
    instruments.instrument_durable_key,
    instruments.kind

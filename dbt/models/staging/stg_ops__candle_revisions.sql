select
    candle_revision.instrument_id,
    candle_revision.interval,
    candle_revision.revision,
    candle_revision.first_opened_at,
    candle_revision.last_opened_at,
    candle_revision.reason,
    candle_revision.load_batch_id,
    candle_revision.created_at
from {{ source('ops', 'candle_revision') }} as candle_revision

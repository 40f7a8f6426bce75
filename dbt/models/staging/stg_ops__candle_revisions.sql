select
    candle_revision.instrument_id,
    -- the collation of all other intervals, without which no mart's index would apply
    candle_revision.interval collate "default" as interval,
    candle_revision.revision,
    candle_revision.first_opened_at,
    candle_revision.last_opened_at,
    candle_revision.reason,
    candle_revision.load_batch_id,
    candle_revision.created_at
from {{ source('ops', 'candle_revision') }} as candle_revision

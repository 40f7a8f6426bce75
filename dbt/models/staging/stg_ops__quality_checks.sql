select
    quality_check.id as quality_check_id,
    quality_check.checked_at,
    quality_check.span_start,
    quality_check.span_end,
    quality_check.instrument_id,
    quality_check.interval,
    quality_check.candles,
    quality_check.expected,
    quality_check.load_batch_id
from {{ source('ops', 'quality_check') }} as quality_check

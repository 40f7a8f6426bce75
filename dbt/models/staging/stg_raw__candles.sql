select
    candle.instrument_id,
    candle.interval,
    candle.opened_at,
    candle.closed_at,
    candle.session_on,
    candle.open,
    candle.high,
    candle.low,
    candle.close,
    candle.volume,
    candle.revision,
    candle.load_batch_id
from {{ source('raw', 'candle') }} as candle

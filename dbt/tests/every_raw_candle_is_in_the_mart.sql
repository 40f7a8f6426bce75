-- As of the revision that each series was built from: a load that commits meanwhile is not missing.
with built as (
    select instrument_key, interval_key, max(series_revision) as series_revision
    from {{ ref('fct_candle') }}
    group by instrument_key, interval_key
)

select instruments.instrument, candles.interval, candles.opened_at
from {{ ref('stg_raw__candles') }} as candles
inner join {{ ref('stg_ops__instruments') }} as instruments
    on instruments.instrument_id = candles.instrument_id
inner join built
    on built.instrument_key = instruments.instrument_key
    and built.interval_key = candles.interval
    and built.series_revision >= candles.revision
left join {{ ref('fct_candle') }} as facts
    on facts.instrument_key = instruments.instrument_key
    and facts.interval_key = candles.interval
    and facts.opened_at = candles.opened_at
where
    (facts.open, facts.high, facts.low, facts.close, facts.volume, facts.revision)
    is distinct from
    (candles.open, candles.high, candles.low, candles.close, candles.volume, candles.revision)

-- Compares as of the revision each series was built from, so a concurrent load is not missing.
with built as (
    select
        versions.instrument_durable_key,
        candles.interval_key,
        max(candles.series_revision) as series_revision
    from {{ ref('fct_candle') }} as candles
    inner join {{ ref('dim_instrument') }} as versions
        on versions.instrument_key = candles.instrument_key
    group by versions.instrument_durable_key, candles.interval_key
)

select instruments.instrument, candles.interval, candles.opened_at
from {{ ref('stg_raw__candles') }} as candles
inner join {{ ref('stg_ops__instruments') }} as instruments
    on instruments.instrument_id = candles.instrument_id
inner join built
    on built.instrument_durable_key = instruments.instrument_durable_key
    and built.interval_key = candles.interval
    and built.series_revision >= candles.revision
inner join {{ ref('dim_instrument') }} as versions
    on versions.instrument_durable_key = instruments.instrument_durable_key
    and candles.opened_at >= versions.valid_from
    and candles.opened_at < versions.valid_to
left join {{ ref('fct_candle') }} as facts
    on facts.instrument_key = versions.instrument_key
    and facts.interval_key = candles.interval
    and facts.opened_at = candles.opened_at
where
    (facts.open, facts.high, facts.low, facts.close, facts.volume, facts.revision)
    is distinct from
    (candles.open, candles.high, candles.low, candles.close, candles.volume, candles.revision)

-- No candle keeps a factor from before a split became known. Compares as of the revision that each
-- series was built from, because a concurrent split raises it.
with facts as (
    select
        instruments.instrument_id,
        instruments.instrument,
        candles.interval_key,
        candles.opened_at,
        candles.split_factor,
        candles.series_revision
    from {{ ref('fct_candle') }} as candles
    inner join {{ ref('dim_instrument') }} as versions
        on versions.instrument_key = candles.instrument_key
        and versions.kind = 'equity'
    inner join {{ ref('stg_ops__instruments') }} as instruments
        on instruments.instrument_durable_key = versions.instrument_durable_key
),

built as (
    select instrument_id, interval_key, max(series_revision) as series_revision
    from facts
    group by instrument_id, interval_key
)

select facts.instrument, facts.interval_key, facts.opened_at, facts.split_factor
from facts
inner join built
    on built.instrument_id = facts.instrument_id
    and built.interval_key = facts.interval_key
inner join {{ ref('int_series') }} as series
    on series.instrument_id = facts.instrument_id
    and series.interval = facts.interval_key
    and series.newest_revision = built.series_revision
left join {{ ref('int_split_eras') }} as eras
    on eras.instrument_id = facts.instrument_id
    and facts.opened_at >= eras.start_at
    and facts.opened_at < eras.end_at
where facts.split_factor <> coalesce(eras.split_factor, 1)

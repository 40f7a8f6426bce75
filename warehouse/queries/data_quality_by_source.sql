-- How complete and how clean are the candles of each source, as of the newest check of each series?
--
-- The newest of those that saw most of its candles: what follows a load looks at a few days only.
with newest as (
    select distinct on (instruments.instrument, quality.interval_key) quality.*
    from marts.fct_data_quality as quality
    inner join marts.dim_instrument as instruments
        on instruments.instrument_key = quality.instrument_key
    order by
        instruments.instrument, quality.interval_key, quality.candles desc, quality.checked_at desc
)

select
    sources.source,
    sources.origin,
    count(*) as series,
    sum(newest.candles) as candles,
    sum(newest.expected) as expected,
    sum(newest.candles)::double precision / nullif(sum(newest.expected), 0) as coverage,
    sum(newest.missing_candles) as missing,
    sum(newest.ohlc_candles + newest.spacing_candles) as wrong,
    sum(newest.outlier_candles) as outliers,
    sum(newest.zero_volume_candles) as without_volume,
    sum(newest.errors) as errors
from newest
inner join marts.dim_source as sources on sources.source_key = newest.source_key
group by sources.source, sources.origin
order by coverage, sources.source, sources.origin

{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['instrument_key', 'interval_key', 'opened_at'],
    on_schema_change='fail',
    indexes=[
        {'columns': ['instrument_key', 'interval_key', 'series_revision']},
        {'columns': ['date_key']},
    ],
    pre_hook="set local work_mem = '64MB'",
) }}

-- Every load that changes a series raises its revision in the candles' transaction. New candles are
-- therefore found by revision, not by time, and no late or corrected candle is missed.
with series as materialized (
    select
        series.instrument_id,
        series.interval,
        series.instrument_durable_key,
        series.kind,
        {% if is_incremental() %}
        coalesce((
            select max(newest.series_revision)
            from {{ ref('dim_instrument') }} as versions
            cross join lateral (
                select max(here.series_revision) as series_revision
                from {{ this }} as here
                where
                    here.instrument_key = versions.instrument_key
                    and here.interval_key = series.interval
            ) as newest
            where versions.instrument_durable_key = series.instrument_durable_key
        ), 0) as revision_here
        {% else %}
        0 as revision_here
        {% endif %}
    from {{ ref('int_series') }} as series
    -- an instrument newer than the dimension's build waits for the next build
    where
        series.instrument_durable_key
        in (select instrument_durable_key from {{ ref('dim_instrument') }})
),

revised as (
    select
        series.instrument_id,
        series.interval,
        series.instrument_durable_key,
        series.kind,
        max(revisions.revision) as series_revision,
        range_agg(
            tstzrange(revisions.first_opened_at, revisions.last_opened_at, '[]')
        ) as spans
    from series
    inner join {{ ref('stg_ops__candle_revisions') }} as revisions
        on revisions.instrument_id = series.instrument_id
        and revisions.interval = series.interval
        and revisions.revision > series.revision_here
    group by
        series.instrument_id, series.interval, series.instrument_durable_key, series.kind
),

{% if is_incremental() %}
-- A split changes the factors of all earlier candles, but its revision covers only its day.
rescaled as (
    select
        revised.instrument_id,
        revised.interval,
        tstzmultirange(tstzrange(min(here.opened_at), max(here.opened_at), '[]')) as spans
    from revised
    inner join {{ ref('dim_instrument') }} as versions
        on versions.instrument_durable_key = revised.instrument_durable_key
    inner join {{ this }} as here
        on here.instrument_key = versions.instrument_key
        and here.interval_key = revised.interval
    left join {{ ref('int_split_eras') }} as eras
        on eras.instrument_id = revised.instrument_id
        and here.opened_at >= eras.start_at
        and here.opened_at < eras.end_at
    where
        revised.kind = 'equity' -- nothing else splits
        and here.split_factor <> coalesce(eras.split_factor, 1)
    group by revised.instrument_id, revised.interval
),

spans as (
    select
        revised.instrument_id,
        revised.interval,
        revised.instrument_durable_key,
        revised.series_revision,
        revised.spans + coalesce(rescaled.spans, '{}') as spans
    from revised
    left join rescaled
        on rescaled.instrument_id = revised.instrument_id
        and rescaled.interval = revised.interval
),
{% else %}
spans as (select * from revised),
{% endif %}

-- Overlapping spans are merged, so that no candle is read twice.
touched as materialized (
    select
        spans.instrument_id,
        spans.interval,
        spans.instrument_durable_key,
        spans.series_revision,
        lower(span) as first_opened_at,
        upper(span) as last_opened_at
    from spans
    cross join lateral unnest(spans.spans) as span
),

-- separate, so that a key is hashed once per load instead of once per candle
batches as materialized (
    select load_batch_id, source_key from {{ ref('stg_ops__load_batches') }}
),

candles as (
    select
        candles.*,
        versions.instrument_key,
        batches.source_key,
        touched.series_revision,
        coalesce(eras.split_factor, 1) as split_factor
    from touched
    inner join {{ ref('stg_raw__candles') }} as candles
        on candles.instrument_id = touched.instrument_id
        and candles.interval = touched.interval
        and candles.opened_at between touched.first_opened_at and touched.last_opened_at
    inner join {{ ref('dim_instrument') }} as versions
        on versions.instrument_durable_key = touched.instrument_durable_key
        and candles.opened_at >= versions.valid_from
        and candles.opened_at < versions.valid_to
    inner join batches
        on batches.load_batch_id = candles.load_batch_id
    left join {{ ref('int_split_eras') }} as eras
        on eras.instrument_id = candles.instrument_id
        and candles.opened_at >= eras.start_at
        and candles.opened_at < eras.end_at
)

select
    instrument_key,
    interval as interval_key,
    opened_at,
    {{ date_key('opened_at') }} as date_key,
    {{ time_key('opened_at') }} as time_key,
    source_key,
    closed_at,
    session_on,
    open,
    high,
    low,
    close,
    volume,
    split_factor,
    open / split_factor as split_adjusted_open,
    high / split_factor as split_adjusted_high,
    low / split_factor as split_adjusted_low,
    close / split_factor as split_adjusted_close,
    volume * split_factor as split_adjusted_volume,
    revision,
    series_revision,
    load_batch_id
from candles

{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['instrument_key', 'interval_key', 'opened_at'],
    on_schema_change='fail',
    indexes=[
        {'columns': ['instrument_key', 'interval_key', 'series_revision']},
        {'columns': ['date_key']},
    ],
) }}

-- Every load that changed a series raises its revision, in the transaction of the candles. So
-- revisions, not times, say what is new, and no late or corrected candle is missed.
with series as (
    select distinct
        revisions.instrument_id,
        revisions.interval,
        instruments.instrument_key,
        instruments.kind,
        {% if is_incremental() %}
        coalesce((
            select max(here.series_revision)
            from {{ this }} as here
            where
                here.instrument_key = instruments.instrument_key
                and here.interval_key = revisions.interval
        ), 0) as revision_here
        {% else %}
        0 as revision_here
        {% endif %}
    from {{ ref('stg_ops__candle_revisions') }} as revisions
    inner join {{ ref('stg_ops__instruments') }} as instruments
        on instruments.instrument_id = revisions.instrument_id
    -- an instrument that appeared since the dimension was built waits for the next build
    where instruments.instrument_key in (select instrument_key from {{ ref('dim_instrument') }})
),

revised as (
    select
        series.instrument_id,
        series.interval,
        series.instrument_key,
        series.kind,
        max(revisions.revision) as series_revision,
        min(revisions.first_opened_at) as first_opened_at,
        max(revisions.last_opened_at) as last_opened_at
    from series
    inner join {{ ref('stg_ops__candle_revisions') }} as revisions
        on revisions.instrument_id = series.instrument_id
        and revisions.interval = series.interval
        and revisions.revision > series.revision_here
    group by series.instrument_id, series.interval, series.instrument_key, series.kind
),

{% if is_incremental() %}
-- A split changes the factors of all candles before it, while its revision covers its day only.
rescaled as (
    select
        revised.instrument_id,
        revised.interval,
        min(here.opened_at) as first_opened_at,
        max(here.opened_at) as last_opened_at
    from revised
    inner join {{ this }} as here
        on here.instrument_key = revised.instrument_key
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

touched as (
    select
        revised.instrument_id,
        revised.interval,
        revised.instrument_key,
        revised.series_revision,
        least(revised.first_opened_at, rescaled.first_opened_at) as first_opened_at,
        greatest(revised.last_opened_at, rescaled.last_opened_at) as last_opened_at
    from revised
    left join rescaled
        on rescaled.instrument_id = revised.instrument_id
        and rescaled.interval = revised.interval
),
{% else %}
touched as (select * from revised),
{% endif %}

candles as (
    select
        candles.*,
        touched.instrument_key,
        touched.series_revision,
        coalesce(eras.split_factor, 1) as split_factor
    from touched
    inner join {{ ref('stg_raw__candles') }} as candles
        on candles.instrument_id = touched.instrument_id
        and candles.interval = touched.interval
        and candles.opened_at between touched.first_opened_at and touched.last_opened_at
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

{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['instrument_key', 'interval_key', 'opened_at'],
    on_schema_change='fail',
    indexes=[{'columns': ['instrument_key', 'interval_key', 'series_revision']}],
    pre_hook="set local work_mem = '64MB'",
) }}
-- depends_on: {{ ref('int_series') }}
{% set remembered = var('remembered_candles') %}

with
{% if is_incremental() %}
-- How far the candles of each series were turned into indicators, and how far they are themselves.
series as (
    select
        series.instrument_durable_key,
        series.interval as interval_key,
        coalesce(max(here.series_revision), 0) as revision_here
    from {{ ref('int_series') }} as series
    inner join {{ ref('dim_instrument') }} as versions
        on versions.instrument_durable_key = series.instrument_durable_key
    cross join lateral (
        select max(indicators.series_revision) as series_revision
        from {{ this }} as indicators
        where
            indicators.instrument_key = versions.instrument_key
            and indicators.interval_key = series.interval
    ) as here
    cross join lateral (
        select max(candles.series_revision) as series_revision
        from {{ ref('fct_candle') }} as candles
        where
            candles.instrument_key = versions.instrument_key
            and candles.interval_key = series.interval
    ) as there
    group by series.instrument_durable_key, series.interval
    having max(there.series_revision) > coalesce(max(here.series_revision), 0)
),

revised as (
    select
        series.instrument_durable_key,
        series.interval_key,
        max(candles.series_revision) as series_revision,
        min(candles.opened_at) as first_opened_at,
        max(candles.opened_at) as last_opened_at
    from series
    inner join {{ ref('dim_instrument') }} as versions
        on versions.instrument_durable_key = series.instrument_durable_key
    inner join {{ ref('fct_candle') }} as candles
        on candles.instrument_key = versions.instrument_key
        and candles.interval_key = series.interval_key
        and candles.series_revision > series.revision_here
    group by series.instrument_durable_key, series.interval_key
),

-- A mean forgets what a candle said when the price has moved so many candles later; while it stands
-- still, Wilder's means shrink together and their ratio stays. So: back to the last move, and so many
-- candles further; forward so many candles, and on to the next move.
moves as (
    select
        revised.*,
        coalesce((
            select max(near.opened_at)
            from {{ ref('dim_instrument') }} as versions
            cross join lateral (
                select moves.opened_at
                from (
                    select
                        candles.opened_at,
                        candles.split_adjusted_close as close,
                        lead(candles.split_adjusted_close) over (
                            order by candles.opened_at desc
                        ) as close_before
                    from {{ ref('fct_candle') }} as candles
                    where
                        candles.instrument_key = versions.instrument_key
                        and candles.interval_key = revised.interval_key
                        and candles.opened_at < revised.first_opened_at
                ) as moves
                where moves.close <> moves.close_before
                order by moves.opened_at desc
                limit 1
            ) as near
            where versions.instrument_durable_key = revised.instrument_durable_key
        ), {{ always_before() }}) as moved_at,
        coalesce((
            select near.opened_at
            from {{ ref('dim_instrument') }} as versions
            cross join lateral (
                select candles.opened_at
                from {{ ref('fct_candle') }} as candles
                where
                    candles.instrument_key = versions.instrument_key
                    and candles.interval_key = revised.interval_key
                    and candles.opened_at > revised.last_opened_at
                order by candles.opened_at asc
                limit {{ remembered }}
            ) as near
            where versions.instrument_durable_key = revised.instrument_durable_key
            order by near.opened_at asc
            offset {{ remembered - 1 }} limit 1
        ), {{ always_after() }}) as fades_at
    from revised
),

spans as (
    select
        moves.*,
        coalesce((
            select near.opened_at
            from {{ ref('dim_instrument') }} as versions
            cross join lateral (
                select candles.opened_at
                from {{ ref('fct_candle') }} as candles
                where
                    candles.instrument_key = versions.instrument_key
                    and candles.interval_key = moves.interval_key
                    and candles.opened_at < moves.moved_at
                order by candles.opened_at desc
                limit {{ remembered }}
            ) as near
            where versions.instrument_durable_key = moves.instrument_durable_key
            order by near.opened_at desc
            offset {{ remembered - 1 }} limit 1
        ), {{ always_before() }}) as read_from,
        coalesce((
            select min(near.opened_at)
            from {{ ref('dim_instrument') }} as versions
            cross join lateral (
                select moves.opened_at
                from (
                    select
                        candles.opened_at,
                        candles.split_adjusted_close as close,
                        lag(candles.split_adjusted_close) over (
                            order by candles.opened_at asc
                        ) as close_before
                    from {{ ref('fct_candle') }} as candles
                    where
                        candles.instrument_key = versions.instrument_key
                        and candles.interval_key = moves.interval_key
                        and candles.opened_at >= moves.fades_at
                ) as moves
                where moves.close <> moves.close_before
                order by moves.opened_at asc
                limit 1
            ) as near
            where versions.instrument_durable_key = moves.instrument_durable_key
        ), {{ always_after() }}) as write_until
    from moves
),

candles as (
    select
        spans.instrument_durable_key,
        spans.first_opened_at,
        spans.series_revision as built_from,
        candles.*
    from spans
    inner join {{ ref('dim_instrument') }} as versions
        on versions.instrument_durable_key = spans.instrument_durable_key
    inner join {{ ref('fct_candle') }} as candles
        on candles.instrument_key = versions.instrument_key
        and candles.interval_key = spans.interval_key
        and candles.opened_at between spans.read_from and spans.write_until
),
{% else %}
candles as (
    select
        versions.instrument_durable_key,
        candles.opened_at as first_opened_at,
        candles.series_revision as built_from,
        candles.*
    from {{ ref('fct_candle') }} as candles
    inner join {{ ref('dim_instrument') }} as versions
        on versions.instrument_key = candles.instrument_key
),
{% endif %}

changes as (
    select
        instrument_durable_key,
        instrument_key,
        interval_key,
        opened_at,
        date_key,
        time_key,
        first_opened_at,
        built_from,
        split_adjusted_close as close,
        split_adjusted_close - lag(split_adjusted_close) over series as change
    from candles
    window series as (
        partition by instrument_durable_key, interval_key order by opened_at
    )
),

running as (
    select
        *,
        row_number() over series as nth,
        sum(close) over series as total,
        staging.rsi_means(change, 14) over series as wilder_means,
        stddev_pop(close) over last_20 as deviation
    from changes
    window
        series as (
            partition by instrument_durable_key, interval_key order by opened_at
            rows unbounded preceding
        ),
        last_20 as (
            partition by instrument_durable_key, interval_key order by opened_at
            rows between 19 preceding and current row
        )
),

means as (
    select
        *,
        {{ mean_of_last('total', 10, 'series') }} as sma_10,
        {{ mean_of_last('total', 20, 'series') }} as sma_20,
        {{ mean_of_last('total', 30, 'series') }} as sma_30,
        {{ mean_of_last('total', 50, 'series') }} as sma_50,
        {{ mean_of_last('total', 200, 'series') }} as sma_200
    from running
    window series as (
        partition by instrument_durable_key, interval_key order by opened_at
        rows unbounded preceding
    )
)

select
    instrument_key,
    interval_key,
    opened_at,
    date_key,
    time_key,
    close,
    sma_10,
    sma_30,
    sma_50,
    sma_200,
    sma_20 + 2 * deviation as bollinger_upper,
    sma_20 as bollinger_middle,
    sma_20 - 2 * deviation as bollinger_lower,
    {{ rsi('wilder_means', 14) }} as rsi_14,
    built_from as series_revision
from means
where opened_at >= first_opened_at

{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['instrument_key', 'interval_key', 'opened_at'],
    on_schema_change='fail',
    indexes=[{'columns': ['instrument_key', 'interval_key', 'series_revision']}],
    pre_hook="set local work_mem = '64MB'",
) }}
-- depends_on: {{ ref('int_series') }}, {{ ref('dim_interval') }}
{% set remembered = var('remembered_candles') %}

with
{% if is_incremental() %}
-- For each series, the revision of its indicators and of its candles. `offset 0` stops Postgres from
-- turning an index search into a join, because it cannot know how short the result is.
series as materialized (
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

-- New candles, in ranges further apart than a mean's memory.
changed as (
    select
        series.instrument_durable_key,
        series.interval_key,
        candles.opened_at,
        candles.series_revision,
        candles.opened_at - lag(candles.opened_at) over series
        > {{ remembered }} * make_interval(secs => coalesce(intervals.seconds, 31 * 86400)) as is_far
    from series
    inner join {{ ref('dim_interval') }} as intervals
        on intervals.interval_key = series.interval_key
    inner join {{ ref('dim_instrument') }} as versions
        on versions.instrument_durable_key = series.instrument_durable_key
    cross join lateral (
        select *
        from {{ ref('fct_candle') }} as candles
        where
            candles.instrument_key = versions.instrument_key
            and candles.interval_key = series.interval_key
            and candles.series_revision > series.revision_here
        offset 0
    ) as candles
    window series as (
        partition by series.instrument_durable_key, series.interval_key
        order by candles.opened_at
    )
),

numbered as (
    select
        *,
        count(*) filter (where is_far) over (
            partition by instrument_durable_key, interval_key order by opened_at
        ) as stretch
    from changed
),

revised as (
    select
        instrument_durable_key,
        interval_key,
        min(opened_at) as first_opened_at,
        max(opened_at) as last_opened_at,
        max(max(series_revision)) over (
            partition by instrument_durable_key, interval_key
        ) as series_revision
    from numbered
    group by instrument_durable_key, interval_key, stretch
),

-- A mean forgets a candle once the price has moved that many candles later. While the price stands
-- still, Wilder's means shrink together and their ratio stays. So each range is extended forward by
-- that many candles and to the next move, and back to the last move and by that many candles.
faded as materialized (
    select
        revised.*,
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

written as materialized (
    select
        faded.*,
        coalesce((
            select min(near.opened_at)
            from {{ ref('dim_instrument') }} as versions
            cross join lateral (
                select candles.opened_at
                from {{ ref('fct_candle') }} as candles
                where
                    candles.instrument_key = versions.instrument_key
                    and candles.interval_key = faded.interval_key
                    and candles.opened_at >= faded.fades_at
                    and candles.split_adjusted_close <> (
                        select earlier.split_adjusted_close
                        from {{ ref('fct_candle') }} as earlier
                        where
                            earlier.instrument_key = candles.instrument_key
                            and earlier.interval_key = candles.interval_key
                            and earlier.opened_at < candles.opened_at
                        order by earlier.opened_at desc
                        limit 1
                    )
                order by candles.opened_at asc
                limit 1
            ) as near
            where versions.instrument_durable_key = faded.instrument_durable_key
        ), {{ always_after() }}) as write_until
    from faded
),

-- Overlapping ranges are merged, so that no candle is written twice.
joined as (
    select
        instrument_durable_key,
        interval_key,
        max(series_revision) as series_revision,
        range_agg(tstzrange(first_opened_at, write_until, '[]')) as stretches
    from written
    group by instrument_durable_key, interval_key
),

begun as (
    select
        joined.instrument_durable_key,
        joined.interval_key,
        joined.series_revision,
        lower(stretch) as first_opened_at,
        upper(stretch) as write_until
    from joined
    cross join lateral unnest(joined.stretches) as stretch
),

moved as materialized (
    select
        begun.*,
        coalesce((
            select max(near.opened_at)
            from {{ ref('dim_instrument') }} as versions
            cross join lateral (
                select candles.opened_at
                from {{ ref('fct_candle') }} as candles
                where
                    candles.instrument_key = versions.instrument_key
                    and candles.interval_key = begun.interval_key
                    and candles.opened_at < begun.first_opened_at
                    and candles.split_adjusted_close <> (
                        select earlier.split_adjusted_close
                        from {{ ref('fct_candle') }} as earlier
                        where
                            earlier.instrument_key = candles.instrument_key
                            and earlier.interval_key = candles.interval_key
                            and earlier.opened_at < candles.opened_at
                        order by earlier.opened_at desc
                        limit 1
                    )
                order by candles.opened_at desc
                limit 1
            ) as near
            where versions.instrument_durable_key = begun.instrument_durable_key
        ), {{ always_before() }}) as moved_at
    from begun
),

spans as materialized (
    select
        moved.*,
        coalesce((
            select near.opened_at
            from {{ ref('dim_instrument') }} as versions
            cross join lateral (
                select candles.opened_at
                from {{ ref('fct_candle') }} as candles
                where
                    candles.instrument_key = versions.instrument_key
                    and candles.interval_key = moved.interval_key
                    and candles.opened_at < moved.moved_at
                order by candles.opened_at desc
                limit {{ remembered }}
            ) as near
            where versions.instrument_durable_key = moved.instrument_durable_key
            order by near.opened_at desc
            offset {{ remembered - 1 }} limit 1
        ), {{ always_before() }}) as read_from
    from moved
),

candles as (
    select
        spans.instrument_durable_key,
        spans.first_opened_at,
        spans.first_opened_at as stretch,
        spans.series_revision as built_from,
        candles.*
    from spans
    inner join {{ ref('dim_instrument') }} as versions
        on versions.instrument_durable_key = spans.instrument_durable_key
    cross join lateral (
        select *
        from {{ ref('fct_candle') }} as candles
        where
            candles.instrument_key = versions.instrument_key
            and candles.interval_key = spans.interval_key
            and candles.opened_at between spans.read_from and spans.write_until
        offset 0
    ) as candles
),
{% else %}
candles as (
    select
        versions.instrument_durable_key,
        candles.opened_at as first_opened_at,
        'infinity'::timestamptz as stretch,
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
        stretch,
        built_from,
        split_adjusted_close as close,
        split_adjusted_close - lag(split_adjusted_close) over series as change
    from candles
    window series as (
        partition by instrument_durable_key, interval_key, stretch order by opened_at
    )
),

-- Long sums are made of short ones. A running total over the series would be faster, but after a
-- crash its last digits would still carry rounding errors of the earlier, higher prices.
running as (
    select
        *,
        case when row_number() over series >= 10 then sum(close) over last_10 end as sum_10,
        staging.rsi_means(change, 14) over series as wilder_means,
        stddev_pop(close) over last_20 as deviation
    from changes
    window
        series as (
            partition by instrument_durable_key, interval_key, stretch order by opened_at
            rows unbounded preceding
        ),
        last_10 as (
            partition by instrument_durable_key, interval_key, stretch order by opened_at
            rows between 9 preceding and current row
        ),
        last_20 as (
            partition by instrument_durable_key, interval_key, stretch order by opened_at
            rows between 19 preceding and current row
        )
),

sums as (
    select
        *,
        {{ sum_of_before('sum_10', 10, 2, 'series') }} as sum_20,
        {{ sum_of_before('sum_10', 10, 3, 'series') }} as sum_30,
        {{ sum_of_before('sum_10', 10, 5, 'series') }} as sum_50
    from running
    window series as (
        partition by instrument_durable_key, interval_key, stretch order by opened_at
        rows unbounded preceding
    )
),

means as (
    select
        *,
        sum_10 / 10 as sma_10,
        sum_20 / 20 as sma_20,
        sum_30 / 30 as sma_30,
        sum_50 / 50 as sma_50,
        ({{ sum_of_before('sum_50', 50, 4, 'series') }}) / 200 as sma_200
    from sums
    window series as (
        partition by instrument_durable_key, interval_key, stretch order by opened_at
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

-- A check that follows no load takes its source from the series' newest load before it.
with checks as (
    select
        checks.*,
        coalesce(
            checks.load_batch_id,
            (
                select max(batches.load_batch_id)
                from {{ ref('stg_ops__load_batches') }} as batches
                where
                    batches.instrument_id = checks.instrument_id
                    and batches.interval = checks.interval
                    and batches.status = 'succeeded'
                    and batches.started_at <= checks.checked_at
            )
        ) as batch_id
    from {{ ref('stg_ops__quality_checks') }} as checks
)

select
    checks.quality_check_id,
    versions.instrument_key,
    checks.interval as interval_key,
    coalesce(sources.source_key, {{ nobody() }}) as source_key,
    {{ date_key('checks.checked_at') }} as date_key,
    {{ time_key('checks.checked_at') }} as time_key,
    checks.checked_at,
    checks.span_start,
    checks.span_end,
    checks.candles,
    checks.expected,
    coalesce(standing.findings, 0) as findings,
    coalesce(standing.new_findings, 0) as new_findings,
    coalesce(standing.errors, 0) as errors,
    coalesce(standing.warnings, 0) as warnings,
    coalesce(standing.missing_candles, 0)::bigint as missing_candles,
    coalesce(standing.spacing_candles, 0)::bigint as spacing_candles,
    coalesce(standing.ohlc_candles, 0)::bigint as ohlc_candles,
    coalesce(standing.outlier_candles, 0)::bigint as outlier_candles,
    coalesce(standing.zero_volume_candles, 0)::bigint as zero_volume_candles,
    coalesce(standing.stale_candles, 0)::bigint as stale_candles
from checks
inner join {{ ref('stg_ops__instruments') }} as instruments
    on instruments.instrument_id = checks.instrument_id
inner join {{ ref('dim_instrument') }} as versions
    on versions.instrument_durable_key = instruments.instrument_durable_key
    and checks.checked_at >= versions.valid_from
    and checks.checked_at < versions.valid_to
left join {{ ref('stg_ops__load_batches') }} as batches
    on batches.load_batch_id = checks.batch_id
left join {{ ref('dim_source') }} as sources
    on sources.source_key = batches.source_key
left join {{ ref('int_standing_findings') }} as standing
    on standing.quality_check_id = checks.quality_check_id

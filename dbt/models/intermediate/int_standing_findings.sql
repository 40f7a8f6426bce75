-- The unresolved findings at each check of a series: its own findings, and earlier ones that were
-- not resolved at that time.
select
    checks.quality_check_id,
    count(*) as findings,
    count(*) filter (where findings.severity = 'error') as errors,
    count(*) filter (where findings.severity = 'warning') as warnings,
    count(*) filter (where findings.quality_check_id = checks.quality_check_id) as new_findings,
    coalesce(sum(findings.candles) filter (where findings.kind = 'missing'), 0) as missing_candles,
    coalesce(sum(findings.candles) filter (where findings.kind = 'spacing'), 0) as spacing_candles,
    coalesce(sum(findings.candles) filter (where findings.kind = 'ohlc'), 0) as ohlc_candles,
    coalesce(sum(findings.candles) filter (where findings.kind = 'outlier'), 0) as outlier_candles,
    coalesce(sum(findings.candles) filter (where findings.kind = 'zero_volume'), 0) as zero_volume_candles,
    coalesce(sum(findings.candles) filter (where findings.kind = 'stale'), 0) as stale_candles
from {{ ref('stg_ops__quality_checks') }} as checks
inner join {{ ref('stg_ops__quality_findings') }} as findings
    on findings.instrument_id = checks.instrument_id
    and findings.interval = checks.interval
    and findings.first_opened_at < checks.span_end
    and findings.last_opened_at >= checks.span_start
where
    findings.quality_check_id = checks.quality_check_id
    or (
        findings.found_at <= checks.checked_at
        and (findings.resolved_at is null or findings.resolved_at > checks.checked_at)
    )
group by checks.quality_check_id

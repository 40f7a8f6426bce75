select
    finding.id as quality_finding_id,
    finding.quality_check_id,
    finding.instrument_id,
    finding.interval,
    finding.kind,
    finding.first_opened_at,
    finding.last_opened_at,
    finding.candles,
    finding.severity,
    finding.state,
    finding.found_at,
    finding.resolved_at
from {{ source('ops', 'quality_finding') }} as finding

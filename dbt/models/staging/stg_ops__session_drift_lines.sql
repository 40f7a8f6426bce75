select
    session_drift_line.session_id,
    session_drift_line.on_day,
    session_drift_line.candles,
    session_drift_line.line,
    session_drift_line.kind,
    session_drift_line.cause
from {{ source('ops', 'session_drift_line') }} as session_drift_line

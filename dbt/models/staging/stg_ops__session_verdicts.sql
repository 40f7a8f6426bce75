select
    session_verdict.session_id,
    session_verdict.seq,
    session_verdict.instrument,
    session_verdict.candle_at,
    session_verdict.is_allowed,
    session_verdict.code
from {{ source('ops', 'session_verdict') }} as session_verdict

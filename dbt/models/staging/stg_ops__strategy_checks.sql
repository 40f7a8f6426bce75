select
    check_found.strategy_digest,
    check_found.lookahead,
    check_found.checked_at
from {{ source('ops', 'strategy_check') }} as check_found

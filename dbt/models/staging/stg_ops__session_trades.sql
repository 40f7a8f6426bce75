select
    session_trade.session_id,
    session_trade.seq,
    session_trade.instrument,
    session_trade.entry_at,
    session_trade.exit_at,
    session_trade.size,
    session_trade.fees,
    session_trade.profit,
    session_trade.exit_reason
from {{ source('ops', 'session_trade') }} as session_trade

select
    session_equity.session_id,
    session_equity.account,
    session_equity.opened_at,
    session_equity.equity,
    session_equity.cash
from {{ source('ops', 'session_equity') }} as session_equity

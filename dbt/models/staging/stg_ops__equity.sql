select
    equity.result_key,
    equity.opened_at,
    equity.equity
from {{ source('ops', 'equity') }} as equity

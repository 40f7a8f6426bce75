select
    session_fill.session_id,
    session_fill.fill_id,
    session_fill.client_order_id,
    session_fill.instrument,
    session_fill.side,
    session_fill.units,
    session_fill.price,
    session_fill.fee,
    session_fill.filled_at
from {{ source('ops', 'session_fill') }} as session_fill

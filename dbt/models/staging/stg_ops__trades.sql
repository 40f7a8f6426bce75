select
    trade.result_key,
    trade.seq,
    trade.instrument_id,
    trade.entry_at,
    trade.exit_at,
    trade.size,
    trade.entry_price,
    trade.exit_price,
    trade.fees,
    trade.slippage,
    trade.borrow,
    trade.profit,
    trade.mae,
    trade.mfe,
    trade.exit_reason
from {{ source('ops', 'trade') }} as trade

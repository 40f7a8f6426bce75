-- What share of what the trades earned went to fees, slippage and borrowing?
--
-- Of the trades that are stored. The share is null where they earned nothing before costs.
select
    strategies.strategy,
    instruments.instrument,
    trades.interval_key,
    count(*) as trades,
    sum(trades.gross_profit) as gross_profit,
    sum(trades.fees) as fees,
    sum(coalesce(trades.slippage, 0)) as slippage,
    sum(coalesce(trades.borrow, 0)) as borrow,
    sum(trades.profit) as profit,
    case
        when sum(trades.gross_profit) > 0
            then 1 - sum(trades.profit) / sum(trades.gross_profit)
    end as cost_share
from marts.fct_trade as trades
inner join marts.dim_strategy as strategies on strategies.strategy_key = trades.strategy_key
inner join marts.dim_instrument as instruments
    on instruments.instrument_key = trades.instrument_key
group by strategies.strategy, instruments.instrument, trades.interval_key
order by cost_share desc nulls first, strategies.strategy, instruments.instrument

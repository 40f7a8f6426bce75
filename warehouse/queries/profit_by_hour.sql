-- At which hours of the day (UTC) are the trades entered that earn, and those that lose?
--
-- strategy = %: a strategy's name, % for any
select
    times.trading_hours,
    times.hour,
    count(*) as trades,
    avg((trades.profit > 0)::integer) as win_rate,
    avg(trades.trade_return) as mean_return,
    sum(trades.profit) as profit
from marts.fct_trade as trades
inner join marts.dim_time as times on times.time_key = trades.entry_time_key
inner join marts.dim_strategy as strategies on strategies.strategy_key = trades.strategy_key
where strategies.strategy like :strategy
group by times.trading_hours, times.hour
order by times.hour

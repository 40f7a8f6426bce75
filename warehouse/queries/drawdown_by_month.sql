-- How deep was each strategy under water, month by month, and what did the month bring?
--
-- Of each strategy and instrument the result with the best Sharpe ratio of those whose curve is
-- stored.
--
-- strategy = %: a strategy's name, % for any
with best as (
    select distinct on (strategies.strategy, instruments.instrument, runs.interval_key)
        runs.result_key,
        strategies.strategy,
        instruments.instrument,
        runs.interval_key,
        runs.cash
    from marts.fct_run as runs
    inner join marts.dim_strategy as strategies on strategies.strategy_key = runs.strategy_key
    inner join marts.dim_instrument as instruments
        on instruments.instrument_key = runs.instrument_key
    where
        strategies.strategy like :strategy
        and exists (
            select from marts.fct_equity as equity where equity.result_key = runs.result_key
        )
    order by
        strategies.strategy, instruments.instrument, runs.interval_key,
        runs.sharpe desc nulls last, runs.result_key
),

months as (
    select
        best.strategy,
        best.instrument,
        best.interval_key,
        best.cash,
        days.year,
        days.month,
        min(equity.lowest_drawdown) as lowest_drawdown,
        (array_agg(equity.equity order by equity.date_key desc))[1] as last_equity,
        count(*) filter (where equity.daily_return < 0) as losing_days,
        count(*) as days
    from best
    inner join marts.fct_equity as equity on equity.result_key = best.result_key
    inner join marts.dim_date as days on days.date_key = equity.date_key
    group by
        best.strategy, best.instrument, best.interval_key, best.cash, days.year, days.month
)

select
    strategy,
    instrument,
    interval_key,
    year,
    month,
    lowest_drawdown,
    last_equity / nullif(lag(last_equity, 1, cash) over of_one, 0) - 1 as month_return,
    losing_days,
    days
from months
window of_one as (partition by strategy, instrument, interval_key order by year, month)
order by strategy, instrument, interval_key, year, month

-- How many parameter sets of each strategy were tried on each instrument, and was the best one luck?
--
-- A run that several scenes asked for counts once, with its newest answer, pruned or not. `luck` is
-- the Sharpe ratio
-- that the best of so many worthless trials would have shown, their ratios scattering as these do:
-- Bailey & López de Prado, "The Deflated Sharpe Ratio" (2014), eq. 1, with all trials independent.
with tried as (
    select run_key, strategy_key, instrument_key, interval_key, status, sharpe, total_return,
        buy_hold_return, computed_at
    from marts.fct_run
    union all
    select run_key, strategy_key, instrument_key, interval_key, status, sharpe, total_return,
        buy_hold_return, computed_at
    from marts.fct_pruned_run
),

newest as (
    select distinct on (runs.run_key)
        strategies.strategy,
        instruments.instrument,
        runs.interval_key,
        runs.status,
        runs.sharpe,
        runs.total_return > runs.buy_hold_return as beats_holding
    from tried as runs
    inner join marts.dim_strategy as strategies on strategies.strategy_key = runs.strategy_key
    inner join marts.dim_instrument as instruments
        on instruments.instrument_key = runs.instrument_key
    order by runs.run_key, runs.computed_at desc
),

families as (
    select
        strategy,
        instrument,
        interval_key,
        count(*) as trials,
        count(*) filter (where status = 'succeeded') as succeeded,
        max(sharpe) as best_sharpe,
        percentile_cont(0.5) within group (order by sharpe) as median_sharpe,
        stddev_samp(sharpe) as deviation,
        avg(beats_holding::integer) as share_beating_holding
    from newest
    group by strategy, instrument, interval_key
)

-- √(2 ln n) − (ln ln n + ln 4π) / (2 √(2 ln n)): the expected best of n normal draws, nearly
select
    strategy,
    instrument,
    interval_key,
    trials,
    succeeded,
    best_sharpe,
    median_sharpe,
    case
        when trials >= 3
            then deviation * (
                sqrt(2 * ln(trials))
                - (ln(ln(trials)) + ln(4 * pi())) / (2 * sqrt(2 * ln(trials)))
            )
    end as luck,
    share_beating_holding
from families
order by trials desc, strategy, instrument, interval_key

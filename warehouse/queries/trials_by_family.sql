-- How many parameter sets of each strategy were tried on each instrument, and was the best one luck?
--
-- A run that several scenes asked for counts once, with its newest answer. `luck` is the Sharpe ratio
-- that the best of so many worthless trials would have shown, their ratios scattering as these do:
-- Bailey & López de Prado, "The Deflated Sharpe Ratio" (2014), eq. 1, with all trials independent.
with newest as (
    select distinct on (runs.run_key)
        strategies.strategy,
        instruments.instrument,
        runs.interval_key,
        runs.status,
        runs.sharpe,
        runs.total_return > runs.buy_hold_return as beats_holding
    from marts.fct_run as runs
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

-- Which candles were restated, and which stored results no longer hold because of it?
--
-- A result is stale once a load that came after it changed candles that it rests on.
--
-- instrument = %: an instrument as `binance:BTCUSDT`, % for any
select
    instruments.instrument,
    stale.interval as interval_key,
    stale.revision,
    stale.reason,
    stale.restated_at,
    stale.first_opened_at,
    stale.last_opened_at,
    count(distinct stale.result_key) as stale_results,
    count(distinct runs.scene_key) as scenes,
    string_agg(distinct strategies.strategy, ', ' order by strategies.strategy) as strategies,
    max(runs.sharpe) as best_sharpe_that_fell
from staging.int_stale_results as stale
inner join staging.stg_ops__instruments as instruments
    on instruments.instrument_id = stale.instrument_id
inner join marts.fct_run as runs on runs.result_key = stale.result_key
inner join marts.dim_strategy as strategies on strategies.strategy_key = runs.strategy_key
where instruments.instrument like :instrument
group by
    instruments.instrument, stale.interval, stale.revision, stale.reason, stale.restated_at,
    stale.first_opened_at, stale.last_opened_at
order by instruments.instrument, stale.interval, stale.revision

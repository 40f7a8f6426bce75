-- Which strategies earned most in which regime of the market?
--
-- A day belongs to the regime that was known when it began: `bull` where the last candle of the day
-- before closed above its mean of 200, else `bear`; `wild` where its Bollinger bands stood further
-- apart than in half of the instrument's candles, else `calm`. Days, not runs, are counted: a run
-- with many days weighs more.
--
-- interval = 1h: the candles that say in which regime a day is
with widths as (
    select
        instruments.instrument,
        indicators.date_key,
        indicators.opened_at,
        indicators.close > indicators.sma_200 as is_bull,
        (indicators.bollinger_upper - indicators.bollinger_lower)
        / indicators.bollinger_middle as width
    from marts.fct_indicator as indicators
    inner join marts.dim_instrument as instruments
        on instruments.instrument_key = indicators.instrument_key
    where indicators.interval_key = :interval and indicators.sma_200 is not null
),

usual as (
    select instrument, percentile_cont(0.5) within group (order by width) as width
    from widths
    group by instrument
),

closes as (
    select distinct on (instrument, date_key) instrument, date_key, is_bull, width
    from widths
    order by instrument, date_key, opened_at desc
),

regimes as (
    select
        closes.instrument,
        days.date_on + 1 as day_on,
        (case when closes.is_bull then 'bull' else 'bear' end)
        || ' ' || (case when closes.width > usual.width then 'wild' else 'calm' end) as regime
    from closes
    inner join usual on usual.instrument = closes.instrument
    inner join marts.dim_date as days on days.date_key = closes.date_key
)

select
    regimes.regime,
    strategies.strategy,
    count(distinct equity.result_key) as results,
    count(*) as days,
    avg(equity.daily_return) as mean_daily_return,
    stddev_samp(equity.daily_return) as deviation,
    min(equity.daily_return) as worst_day
from marts.fct_equity as equity
inner join marts.dim_strategy as strategies on strategies.strategy_key = equity.strategy_key
inner join marts.dim_instrument as instruments
    on instruments.instrument_key = equity.instrument_key
inner join marts.dim_date as days on days.date_key = equity.date_key
inner join regimes
    on regimes.instrument = instruments.instrument
    and regimes.day_on = days.date_on
group by regimes.regime, strategies.strategy
order by regimes.regime, mean_daily_return desc, strategies.strategy

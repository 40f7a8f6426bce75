-- Which strategies earned most in which regime of the market?
--
-- A day belongs to the regime that was known when it began: `bull` where the last candle that had
-- closed by then, in the month before, closed above its mean of 200, else `bear`; `wild` where its
-- Bollinger bands stood further apart than in half of the instrument's candles, else `calm`. Days,
-- not runs, are counted: a run with many days weighs more.
--
-- interval = 1h: the candles that say in which regime a day is
with widths as (
    select
        instruments.instrument,
        candles.closed_at,
        indicators.close > indicators.sma_200 as is_bull,
        (indicators.bollinger_upper - indicators.bollinger_lower)
        / indicators.bollinger_middle as width
    from marts.fct_indicator as indicators
    inner join marts.fct_candle as candles
        on candles.instrument_key = indicators.instrument_key
        and candles.interval_key = indicators.interval_key
        and candles.opened_at = indicators.opened_at
    inner join marts.dim_instrument as instruments
        on instruments.instrument_key = indicators.instrument_key
    where indicators.interval_key = :interval and indicators.sma_200 is not null
),

usual as (
    select instrument, percentile_cont(0.5) within group (order by width) as width
    from widths
    group by instrument
),

-- the first day (UTC) that began when the candle had closed
known as (
    select
        *,
        (closed_at at time zone 'UTC' - interval '1 microsecond')::date + 1 as known_on
    from widths
),

closes as (
    select distinct on (instrument, known_on) instrument, known_on, is_bull, width
    from known
    order by instrument, known_on, closed_at desc
),

-- Mondays have the regime of Friday's close, until the next candle has closed.
regimes as (
    select
        closes.instrument,
        closes.known_on,
        least(
            lead(closes.known_on) over (partition by closes.instrument order by closes.known_on),
            closes.known_on + 31
        ) as until_on,
        (case when closes.is_bull then 'bull' else 'bear' end)
        || ' ' || (case when closes.width > usual.width then 'wild' else 'calm' end) as regime
    from closes
    inner join usual on usual.instrument = closes.instrument
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
    and days.date_on >= regimes.known_on
    and days.date_on < regimes.until_on
group by regimes.regime, strategies.strategy
order by regimes.regime, mean_daily_return desc, strategies.strategy

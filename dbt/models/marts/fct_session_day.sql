-- A day counts by the opening of its candles. An account without a candle is worth what it was.
with days as (
    select
        equity.session_id,
        (equity.opened_at at time zone 'UTC')::date as on_day,
        count(*) as candles
    from {{ ref('stg_ops__session_equity') }} as equity
    group by equity.session_id, (equity.opened_at at time zone 'UTC')::date
),

closes as (
    select
        days.session_id,
        days.on_day,
        days.candles,
        sum(coalesce(newest.equity, sessions.cash)) as equity,
        sum(coalesce(newest.cash, sessions.cash)) as cash
    from days
    inner join {{ ref('stg_ops__sessions') }} as sessions
        on sessions.session_id = days.session_id
    cross join lateral generate_series(0, sessions.accounts - 1) as accounts (account)
    left join lateral (
        select
            equity.equity,
            equity.cash
        from {{ ref('stg_ops__session_equity') }} as equity
        where
            equity.session_id = days.session_id
            and equity.account = accounts.account
            and equity.opened_at < {{ midnight_utc('days.on_day + 1') }}
        order by equity.opened_at desc
        limit 1
    ) as newest on true
    group by days.session_id, days.on_day, days.candles
),

orders as (
    select
        orders.session_id,
        (orders.candle_at at time zone 'UTC')::date as on_day,
        count(*) as orders,
        count(*) filter (where orders.state = 'rejected') as rejected
    from {{ ref('stg_ops__session_orders') }} as orders
    group by orders.session_id, (orders.candle_at at time zone 'UTC')::date
),

trades as (
    select
        trades.session_id,
        (trades.exit_at at time zone 'UTC')::date as on_day,
        count(*) as trades,
        sum(trades.profit) as trade_profit,
        sum(trades.fees) as fees
    from {{ ref('stg_ops__session_trades') }} as trades
    group by trades.session_id, (trades.exit_at at time zone 'UTC')::date
),

verdicts as (
    select
        verdicts.session_id,
        (verdicts.candle_at at time zone 'UTC')::date as on_day,
        count(*) as refused
    from {{ ref('stg_ops__session_verdicts') }} as verdicts
    where not verdicts.is_allowed
    group by verdicts.session_id, (verdicts.candle_at at time zone 'UTC')::date
)

select
    closes.session_id as session_key,
    {{ date_key(midnight_utc('closes.on_day')) }} as date_key,
    sessions.user_key,
    sessions.interval_key,
    closes.candles,
    coalesce(
        lag(closes.equity) over (partition by closes.session_id order by closes.on_day),
        sessions.cash * sessions.accounts
    ) as opening_equity,
    closes.equity,
    closes.cash,
    closes.equity - coalesce(
        lag(closes.equity) over (partition by closes.session_id order by closes.on_day),
        sessions.cash * sessions.accounts
    ) as profit,
    coalesce(orders.orders, 0) as orders,
    coalesce(orders.rejected, 0) as rejected,
    coalesce(verdicts.refused, 0) as refused,
    coalesce(trades.trades, 0) as trades,
    coalesce(trades.trade_profit, 0) as trade_profit,
    coalesce(trades.fees, 0) as fees
from closes
inner join {{ ref('dim_session') }} as sessions
    on sessions.session_key = closes.session_id
left join orders
    on orders.session_id = closes.session_id and orders.on_day = closes.on_day
left join trades
    on trades.session_id = closes.session_id and trades.on_day = closes.on_day
left join verdicts
    on verdicts.session_id = closes.session_id and verdicts.on_day = closes.on_day

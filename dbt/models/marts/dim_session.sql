select
    sessions.session_id as session_key,
    coalesce(users.user_key, {{ nobody() }}) as user_key,
    sessions.session_name,
    sessions.is_private,
    sessions.strategy,
    sessions.interval as interval_key,
    sessions.mode,
    sessions.instruments,
    sessions.accounts,
    sessions.broker,
    sessions.feed,
    sessions.money,
    sessions.cash,
    sessions.state,
    sessions.risk_state,
    sessions.created_at,
    sessions.started_at,
    sessions.stopped_at
from {{ ref('stg_ops__sessions') }} as sessions
left join {{ ref('stg_ops__users') }} as users
    on users.user_id = sessions.user_id

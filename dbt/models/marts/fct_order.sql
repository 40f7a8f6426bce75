select
    orders.session_id as session_key,
    orders.client_order_id,
    sessions.user_key,
    versions.instrument_key,
    orders.instrument,
    sessions.interval_key,
    {{ date_key('orders.intended_at') }} as intended_date_key,
    {{ time_key('orders.intended_at') }} as intended_time_key,
    orders.candle_at,
    orders.intended_at,
    orders.changed_at,
    orders.broker_order_id,
    orders.side,
    orders.leg,
    orders.kind,
    orders.reason,
    orders.state,
    orders.why,
    orders.level,
    orders.units,
    orders.filled_units,
    orders.average_price,
    orders.fees
from {{ ref('stg_ops__session_orders') }} as orders
inner join {{ ref('dim_session') }} as sessions
    on sessions.session_key = orders.session_id
left join {{ ref('stg_ops__instruments') }} as instruments
    on instruments.instrument = orders.instrument
left join {{ ref('dim_instrument') }} as versions
    on versions.instrument_durable_key = instruments.instrument_durable_key
    and orders.intended_at >= versions.valid_from
    and orders.intended_at < versions.valid_to

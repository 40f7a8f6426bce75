select
    fills.session_id as session_key,
    fills.fill_id,
    fills.client_order_id,
    sessions.user_key,
    versions.instrument_key,
    fills.instrument,
    sessions.interval_key,
    {{ date_key('fills.filled_at') }} as date_key,
    {{ time_key('fills.filled_at') }} as time_key,
    fills.filled_at,
    fills.side,
    fills.units,
    fills.price,
    fills.units * coalesce(versions.multiplier, 1) * fills.price as notional,
    fills.fee
from {{ ref('stg_ops__session_fills') }} as fills
inner join {{ ref('dim_session') }} as sessions
    on sessions.session_key = fills.session_id
left join {{ ref('stg_ops__instruments') }} as instruments
    on instruments.instrument = fills.instrument
left join {{ ref('dim_instrument') }} as versions
    on versions.instrument_durable_key = instruments.instrument_durable_key
    and fills.filled_at >= versions.valid_from
    and fills.filled_at < versions.valid_to

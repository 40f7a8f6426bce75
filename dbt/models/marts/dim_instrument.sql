select
    instrument_key,
    instrument_durable_key,
    instrument,
    venue,
    symbol,
    kind,
    quote,
    calendar,
    tick,
    lot,
    listed_on,
    delisted_on,
    valid_from,
    valid_to,
    is_current
from {{ ref('int_instrument_versions') }}

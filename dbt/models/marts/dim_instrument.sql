select
    instrument_key,
    instrument,
    venue,
    symbol,
    kind,
    quote,
    calendar,
    tick,
    lot,
    listed_on,
    delisted_on
from {{ ref('stg_ops__instruments') }}

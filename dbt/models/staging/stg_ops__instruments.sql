select
    instrument.id as instrument_id,
    md5(instrument.venue || ':' || instrument.symbol)::uuid as instrument_durable_key,
    instrument.venue || ':' || instrument.symbol as instrument,
    instrument.venue,
    instrument.symbol,
    instrument.kind,
    instrument.quote,
    instrument.calendar,
    instrument.tick,
    instrument.lot,
    instrument.listed_on,
    instrument.delisted_on
from {{ source('ops', 'instrument') }} as instrument

select
    further.run_key,
    further.place,
    further.instrument_id
from {{ source('ops', 'run_instrument') }} as further

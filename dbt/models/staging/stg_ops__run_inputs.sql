select
    input.run_key,
    input.place,
    input.instrument_id,
    input.interval
from {{ source('ops', 'run_input') }} as input

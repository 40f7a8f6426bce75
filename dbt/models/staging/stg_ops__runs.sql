select
    run.run_key,
    run.instrument_id,
    run.interval,
    run.start_at,
    run.end_at,
    run.strategy,
    run.params,
    run.settings,
    (run.settings ->> 'cash')::double precision as cash,
    (run.settings #>> '{costs,fee}')::double precision as fee,
    (run.settings #>> '{costs,slippage}')::double precision as slippage,
    run.settings ->> 'direction' as direction,
    run.settings ->> 'prices' as prices,
    run.settings ->> 'engine' as engine
from {{ source('ops', 'run') }} as run

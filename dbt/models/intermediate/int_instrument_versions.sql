-- An instrument's first version covers all the time before it was seen, and has the durable key as
-- its own.
select
    instrument_durable_key,
    case
        when lag(known_from) over versions is null then instrument_durable_key
        else md5(instrument || '|' || extract(epoch from known_from)::text)::uuid
    end as instrument_key,
    instrument,
    venue,
    symbol,
    kind,
    base,
    quote,
    calendar,
    timezone,
    exchange,
    tick,
    lot,
    multiplier,
    listed_on,
    delisted_on,
    inferred_facts,
    case
        when lag(known_from) over versions is null then {{ always_before() }}
        else known_from
    end as valid_from,
    coalesce(lead(known_from) over versions, {{ always_after() }})::timestamptz as valid_to,
    lead(known_from) over versions is null as is_current
from {{ ref('stg_ops__instrument_versions') }}
window versions as (partition by instrument order by known_from)

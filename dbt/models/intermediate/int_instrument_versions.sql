-- An instrument's known history begins with the first build that saw it. Its first version covers
-- all the time before, and has the durable key as its own.
select
    instrument_durable_key,
    case
        when lag(dbt_valid_from) over versions is null then instrument_durable_key
        else md5(instrument || '|' || extract(epoch from dbt_valid_from)::text)::uuid
    end as instrument_key,
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
    case
        when lag(dbt_valid_from) over versions is null then {{ always_before() }}
        else dbt_valid_from::timestamptz
    end as valid_from,
    coalesce(lead(dbt_valid_from) over versions, {{ always_after() }})::timestamptz as valid_to,
    lead(dbt_valid_from) over versions is null as is_current
from {{ ref('instrument_history') }}
window versions as (partition by instrument order by dbt_valid_from)

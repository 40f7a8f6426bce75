-- What is known of instruments now, and what was known of them before a fact changed.
with versions as (
    select
        instrument_id, known_from, known_until, kind, base, quote, calendar, timezone, exchange,
        tick, lot, multiplier, listed_on, delisted_on, origins
    from {{ source('ops', 'instrument_version') }}
    union all
    select
        id, coalesce(known_from, {{ always_before() }}), null, kind, base, quote, calendar, timezone, exchange,
        tick, lot, multiplier, listed_on, delisted_on, origins
    from {{ source('ops', 'instrument') }}
)

select
    instrument.instrument_durable_key,
    instrument.instrument,
    instrument.venue,
    instrument.symbol,
    versions.known_from,
    versions.known_until,
    versions.kind,
    versions.base,
    versions.quote,
    versions.calendar,
    versions.timezone,
    versions.exchange,
    versions.tick,
    versions.lot,
    versions.multiplier,
    versions.listed_on,
    versions.delisted_on,
    coalesce((
        select string_agg(fact.key, ', ' order by fact.key)
        from jsonb_each(versions.origins) as fact
        where fact.value ->> 'how' = 'inferred'
    ), '') as inferred_facts
from versions
inner join {{ ref('stg_ops__instruments') }} as instrument using (instrument_id)

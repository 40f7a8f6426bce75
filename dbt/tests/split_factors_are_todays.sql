-- A candle keeps no factor from before a split became known. As of the revision that each series
-- was built from: a split that commits meanwhile raised it.
with latest as (
    select instrument_id, interval, max(revision) as revision
    from {{ ref('stg_ops__candle_revisions') }}
    group by instrument_id, interval
),

built as (
    select instrument_key, interval_key, max(series_revision) as series_revision
    from {{ ref('fct_candle') }}
    group by instrument_key, interval_key
)

select instruments.instrument, facts.interval_key, facts.opened_at, facts.split_factor
from {{ ref('fct_candle') }} as facts
inner join {{ ref('stg_ops__instruments') }} as instruments
    on instruments.instrument_key = facts.instrument_key
    and instruments.kind = 'equity'
inner join latest
    on latest.instrument_id = instruments.instrument_id
    and latest.interval = facts.interval_key
inner join built
    on built.instrument_key = facts.instrument_key
    and built.interval_key = facts.interval_key
    and built.series_revision = latest.revision
left join {{ ref('int_split_eras') }} as eras
    on eras.instrument_id = instruments.instrument_id
    and facts.opened_at >= eras.start_at
    and facts.opened_at < eras.end_at
where facts.split_factor <> coalesce(eras.split_factor, 1)

-- The inverse of warehouse.results.finder.find: a later revision affects candles that a result
-- depends on, [depends_from, end), or all before the end if candles were missing.
with rests_on as (
    select
        results.result_key,
        runs.instrument_id,
        runs.interval,
        runs.end_at,
        results.depends_from,
        coalesce(results.revisions[1], results.candles_revision) as revision
    from {{ ref('stg_ops__results') }} as results
    inner join {{ ref('stg_ops__runs') }} as runs
        on runs.run_key = results.run_key
    where results.status in ('succeeded', 'ruined', 'no_data')

    union all

    select
        results.result_key,
        further.instrument_id,
        runs.interval,
        runs.end_at,
        results.depends_from,
        results.revisions[further.place + 1] as revision
    from {{ ref('stg_ops__results') }} as results
    inner join {{ ref('stg_ops__runs') }} as runs
        on runs.run_key = results.run_key
    inner join {{ ref('stg_ops__run_instruments') }} as further
        on further.run_key = results.run_key
    where results.status in ('succeeded', 'ruined', 'no_data')

    union all

    select
        results.result_key,
        inputs.instrument_id,
        inputs.interval,
        runs.end_at,
        results.depends_from,
        results.revisions[inputs.place + 1] as revision
    from {{ ref('stg_ops__results') }} as results
    inner join {{ ref('stg_ops__runs') }} as runs
        on runs.run_key = results.run_key
    inner join {{ ref('stg_ops__run_inputs') }} as inputs
        on inputs.run_key = results.run_key
    where results.status in ('succeeded', 'ruined', 'no_data')
)

select
    rests_on.result_key,
    revisions.instrument_id,
    revisions.interval,
    revisions.revision,
    revisions.reason,
    revisions.created_at as restated_at,
    revisions.first_opened_at,
    revisions.last_opened_at,
    revisions.load_batch_id
from rests_on
inner join {{ ref('stg_ops__candle_revisions') }} as revisions
    on revisions.instrument_id = rests_on.instrument_id
    and revisions.interval = rests_on.interval
    and revisions.revision > rests_on.revision
    and revisions.first_opened_at < rests_on.end_at
    and (
        rests_on.depends_from is null
        or revisions.last_opened_at >= rests_on.depends_from
    )

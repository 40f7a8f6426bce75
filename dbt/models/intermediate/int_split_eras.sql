-- Walks from the latest split to the first, because Postgres has no product(), and exp(sum(ln()))
-- would not return exactly 4 for a 4:1 split.
with recursive splits as (
    select
        instrument_id,
        effective_at,
        value,
        row_number() over (partition by instrument_id order by effective_at desc) as nth_last
    from {{ ref('stg_raw__corporate_actions') }}
    where kind = 'split'
),

factors as (
    select instrument_id, effective_at, nth_last, value as split_factor
    from splits
    where nth_last = 1

    union all

    select
        splits.instrument_id,
        splits.effective_at,
        splits.nth_last,
        factors.split_factor * splits.value as split_factor
    from factors
    inner join splits
        on splits.instrument_id = factors.instrument_id
        and splits.nth_last = factors.nth_last + 1
)

select
    instrument_id,
    coalesce(
        lead(effective_at) over (partition by instrument_id order by nth_last),
        '-infinity'::timestamptz
    ) as start_at,
    effective_at as end_at,
    split_factor
from factors

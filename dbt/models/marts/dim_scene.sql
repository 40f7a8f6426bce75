-- a rejected scene's content may have any shape, with fields of any type
with scenes as (
    select *, case when status <> 'rejected' then content end as accepted
    from {{ ref('stg_ops__scenes') }}
)

select
    scenes.scene_id as scene_key,
    coalesce(users.user_key, {{ nobody() }}) as user_key,
    scenes.rerun_of as rerun_of_key,
    scenes.scene_name,
    scenes.status,
    scenes.accepted ->> 'mode' as mode,
    coalesce(
        scenes.accepted #>> '{search,kind}',
        case when scenes.accepted ->> 'kind' = 'train' then 'training' else 'single' end
    ) as search_kind,
    scenes.accepted ->> 'rank_by' as rank_by,
    scenes.accepted ->> 'interval' as interval_key,
    scenes.accepted #>> '{strategy,name}' as strategy,
    jsonb_array_length(scenes.accepted -> 'instruments') as instruments,
    (scenes.accepted ->> 'start')::timestamptz as start_at,
    (scenes.accepted ->> 'end')::timestamptz as end_at,
    scenes.runs,
    scenes.skipped,
    scenes.cached,
    scenes.received_at,
    scenes.planned_at,
    scenes.finished_at,
    scenes.cancelled_at,
    scenes.rejection_code
from scenes
left join {{ ref('stg_ops__users') }} as staged_users
    on staged_users.user_id = scenes.user_id
left join {{ ref('dim_user') }} as users
    on users.user_key = staged_users.user_key

-- Who asks how much, and how much of it was answered without computing it again?
select
    users.user_name,
    count(distinct runs.scene_key) as scenes,
    count(*) as answers,
    avg(runs.cached::integer) as share_stored,
    count(*) filter (where runs.status not in ('succeeded', 'ruined')) as without_metrics,
    max(scenes.received_at) as last_asked_at
from marts.fct_run as runs
inner join marts.dim_scene as scenes on scenes.scene_key = runs.scene_key
inner join marts.dim_user as users on users.user_key = runs.user_key
group by users.user_name
order by answers desc, users.user_name

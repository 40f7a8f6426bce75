select
    scene.scene_id,
    scene.user_id,
    scene.rerun_of,
    scene.name as scene_name,
    scene.status,
    scene.content,
    scene.runs,
    scene.skipped,
    scene.cached,
    scene.received_at,
    scene.planned_at,
    scene.finished_at,
    scene.cancelled_at,
    scene.rejection_code
from {{ source('ops', 'scene') }} as scene

select
    answer.scene_id,
    answer.run_key,
    answer.result_key,
    answer.cached
from {{ source('ops', 'scene_run') }} as answer

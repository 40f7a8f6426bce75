select
    answer.scene_id,
    encode(answer.result_key, 'hex') as result_key
from {{ source('ops', 'pruned_answer') }} as answer

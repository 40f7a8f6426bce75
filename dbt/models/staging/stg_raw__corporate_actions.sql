select
    action.instrument_id,
    action.kind,
    action.effective_on,
    {{ midnight_utc('action.effective_on') }} as effective_at,
    action.value,
    action.load_batch_id
from {{ source('raw', 'corporate_action') }} as action

select user_key, user_name, role, created_at
from {{ ref('stg_ops__users') }}

union all

select {{ nobody() }}, 'nobody said', 'unknown', null

select
    member.id as user_id,
    md5(member.name)::uuid as user_key,
    member.name as user_name,
    member.role,
    member.created_at
from {{ source('ops', 'user') }} as member

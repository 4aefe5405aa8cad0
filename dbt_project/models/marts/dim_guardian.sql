with

users as (
    {{ published(ref('hist_users')) }}
)

select
    district_id,
    source_id,
    role as guardian_role,
    given_name,
    middle_name,
    family_name,
    username,
    email,
    phone,
    sms as text_message_number,
    is_enabled as is_account_enabled
from users
where role in {{ guardian_roles() }}

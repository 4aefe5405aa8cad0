with

users as (
    {{ published(ref('hist_users')) }}
)

select
    district_id,
    source_id,
    role as staff_role,
    identifier as staff_number,
    given_name,
    middle_name,
    family_name,
    username,
    email,
    phone,
    sms as text_message_number,
    is_enabled as is_account_enabled,
    org_source_ids as organization_source_ids
from users
where {{ person_type('role') }} = 'staff'

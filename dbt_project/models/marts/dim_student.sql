with

users as (
    {{ published(ref('hist_users')) }}
)

select
    district_id,
    source_id,
    identifier as student_number,
    given_name,
    middle_name,
    family_name,
    grades[1] as grade,
    grades,
    username,
    email,
    phone,
    sms as text_message_number,
    is_enabled as is_account_enabled,
    org_source_ids as school_source_ids,
    agent_source_ids as guardian_source_ids
from users
where role = 'student'

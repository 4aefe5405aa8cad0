{%- set attributes = [
    'is_enabled', 'role', 'username', 'given_name', 'middle_name', 'family_name', 'identifier', 'email', 'sms',
    'phone', 'org_source_ids', 'agent_source_ids', 'user_ids', 'grades'
] -%}

with

landed as (
    {{ landed('users', 'users') }}
),

typed as (
    select
        district_id,
        delivery_id,
        sequence,
        {{ trimmed('sourced_id') }} as source_id,
        {{ is_to_be_deleted() }} as is_to_be_deleted,
        {{ typed('enabled_user', 'boolean') }} as is_enabled,
        {{ enumeration('role', ['districtAdministrator', 'siteAdministrator', 'systemAdministrator']) }} as role,
        {{ trimmed('username') }} as username,
        {{ trimmed('given_name') }} as given_name,
        {{ trimmed('middle_name') }} as middle_name,
        {{ trimmed('family_name') }} as family_name,
        {{ trimmed('identifier') }} as identifier,
        {{ trimmed('email') }} as email,
        {{ trimmed('sms') }} as sms,
        {{ trimmed('phone') }} as phone,
        {{ list('org_sourced_ids') }} as org_source_ids,
        {{ list('agent_sourced_ids') }} as agent_source_ids,
        {{ list('user_ids') }} as user_ids,
        {{ list('grades') }} as grades,
        _metadata::jsonb as metadata
    from landed
    {{ computed_once() }}
)

select
    *,
    {{ row_hash(attributes) }} as row_hash
from typed

{%- set attributes = [
    'name', 'type', 'identifier', 'parent_source_id'
] -%}

with

landed as (
    {{ landed('orgs', 'orgs') }}
),

typed as (
    select
        district_id,
        delivery_id,
        sequence,
        {{ trimmed('sourced_id') }} as source_id,
        {{ is_to_be_deleted() }} as is_to_be_deleted,
        {{ trimmed('name') }} as name,
        {{ enumeration('type') }} as type,
        {{ trimmed('identifier') }} as identifier,
        {{ trimmed('parent_sourced_id') }} as parent_source_id,
        _metadata::jsonb as metadata
    from landed
    {{ computed_once() }}
)

select
    *,
    {{ row_hash(attributes) }} as row_hash
from typed

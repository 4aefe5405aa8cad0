{%- set attributes = [
    'title', 'course_code', 'org_source_id', 'school_year_source_id', 'grades', 'subjects', 'subject_codes'
] -%}

with

landed as (
    {{ landed('courses', 'courses') }}
),

typed as (
    select
        district_id,
        delivery_id,
        sequence,
        {{ trimmed('sourced_id') }} as source_id,
        {{ is_to_be_deleted() }} as is_to_be_deleted,
        {{ trimmed('title') }} as title,
        {{ trimmed('course_code') }} as course_code,
        {{ trimmed('org_sourced_id') }} as org_source_id,
        {{ trimmed('school_year_sourced_id') }} as school_year_source_id,
        {{ list('grades') }} as grades,
        {{ list('subjects') }} as subjects,
        {{ list('subject_codes') }} as subject_codes,
        _metadata::jsonb as metadata
    from landed
    {{ computed_once() }}
)

select
    *,
    {{ row_hash(attributes) }} as row_hash
from typed
